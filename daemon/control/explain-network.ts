import { formatAddress, ipv4Number, maskBytes, type Address } from '../../core/address.ts'
import { NO_NETWORK, type Network } from '../../geodb/index.ts'
import type { World } from '../world.ts'
import type { Explanation } from './api.ts'

/** What networks have to say of an address in a policy: their numbers for it, and what there is to tell. */
export interface FoundNetworks {
  readonly network: number
  readonly source: number
  /** Absent where neither has a say. */
  readonly told?: NonNullable<Explanation['network']>
}

/** The networks by which a policy goes for a client that asks for itself. */
export function findNetworks({ networks, routing }: World, policy: number, from: Address): FoundNetworks {
  const usesNetwork = routing.usesNetwork(policy)
  const usesSource = routing.usesSource(policy)
  if (networks === undefined || (!usesNetwork && !usesSource)) return { network: NO_NETWORK, source: NO_NETWORK }
  const at = from.family === 4 ? networks.find4(ipv4Number(from.bytes)) : networks.find6(from.bytes, 0)
  const length = at & 0xff
  return {
    network: usesNetwork ? at >>> 8 : NO_NETWORK,
    source: usesSource ? at >>> 8 : NO_NETWORK,
    told: { text: describeNetwork(networks.network(at >>> 8), from), prefix: prefixText(from, length) }
  }
}

/** `in office by 203.0.113.0/24, AS64500 of carriers, 2 edges measured`. */
function describeNetwork({ in: lists, asn, as = [], row, paths = {} }: Network, from: Address): string {
  const parts = lists.map(([name, length]) => {
    const prefix = prefixText(from, length)
    return name === prefix ? name : `${name} by ${prefix}`
  })
  const where = parts.length === 0 ? [] : [`in ${parts.join(', ')}`]
  const owner = asn === undefined ? [] : [`AS${asn}${as.length === 0 ? '' : ` of ${as.join(', ')}`}`]
  const measured = row === undefined ? [] : ['in a network with measured round trips']
  const ways = Object.entries(paths).map(([edge, length]) => `${edge} ${length}`)
  const far = ways.length === 0 ? [] : [`so many ASes from edges: ${ways.join(', ')}`]
  const told = [...where, ...owner, ...measured, ...far]
  return told.length === 0 ? 'in no network that is known' : told.join('; ')
}

const prefixText = ({ bytes }: Address, length: number): string => `${formatAddress(maskBytes(bytes, length))}/${length}`
