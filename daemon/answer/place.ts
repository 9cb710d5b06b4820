import { NO_NETWORK, NOWHERE, type Networks, type Places } from '../../geodb/index.ts'
import type { World } from '../world.ts'
import type { Exchange } from './send.ts'

/** Where a query came from. */
export interface Source {
  readonly family: 4 | 6
  /** 4 or 16 octets from `at`. */
  readonly bytes: Uint8Array
  readonly at: number
}

/** Where the client is: by its subnet when the query has one, else by the address it came from. Narrows the scope of the answer to what that holds for. */
export function placeOf(exchange: Exchange, places: Places, source: Source): number {
  return (exchange.place = hasSubnet(exchange) ? findSubnet(exchange, places) : placeOfResolver(places, source))
}

/** Which network the client is in; as `placeOf`. */
function networkOf(exchange: Exchange, networks: Networks, { family, bytes, at }: Source): number {
  return hasSubnet(exchange) ? findSubnet(exchange, networks) : findAddress(networks, family, bytes, at) >>> 8
}

/**
 * The class of whoever asks under a policy in which networks have a say. The scope is the longest of those that had one. The
 * network that a query came from is no part of it: an answer by that holds for all the clients of whoever asked (RFC 7871 §7.2.1).
 */
export function classByNetwork(exchange: Exchange, { routing, places, networks }: World, policy: number, source: Source): number {
  const place = routing.usesPlace(policy) ? placeOf(exchange, places, source) : NOWHERE
  if (networks === undefined) return routing.classOf(policy, place)
  const network = routing.usesNetwork(policy) ? networkOf(exchange, networks, source) : NO_NETWORK
  return routing.classOf(policy, place, network, routing.usesSource(policy) ? findAddress(networks, source.family, source.bytes, source.at) >>> 8 : NO_NETWORK)
}

/** A source prefix of 0 asks us to look at no address but the resolver's, and the answer holds for everybody (RFC 7871 §7.1.2). */
function hasSubnet({ query }: Exchange): boolean {
  return query.subnetAt !== 0 && query.subnetSource !== 0
}

function findSubnet(exchange: Exchange, tables: Tables): number {
  const { query, bytes, address } = exchange
  const { subnetAt, subnetOctets } = query
  const octets = query.subnetFamily === 1 ? 4 : 16
  for (let octet = 0; octet < octets; octet++) address[octet] = octet < subnetOctets ? bytes[subnetAt + 4 + octet]! : 0
  const found = findAddress(tables, query.subnetFamily === 1 ? 4 : 6, address, 0)
  const length = found & 0xff
  if (length > exchange.scope) exchange.scope = length
  return found >>> 8
}

/** A resolver that is known stands for its clients, wherever it is itself. */
function placeOfResolver(places: Places, { family, bytes, at }: Source): number {
  if (places.resolvers !== undefined) {
    const known = findAddress(places.resolvers, family, bytes, at) >>> 8
    if (known !== NOWHERE) return known
  }
  return findAddress(places, family, bytes, at) >>> 8
}

/** What look-ups of places and of networks have in common. */
type Tables = Pick<Places, 'find4' | 'find6'>

function findAddress(tables: Tables, family: 4 | 6, bytes: Uint8Array, at: number): number {
  if (family === 6) return tables.find6(bytes, at)
  return tables.find4(((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0)
}

/** xorshift32: good enough to share out answers, and without allocation: 32 bits with a sign. */
export function nextRandom(state: Int32Array): number {
  let x = state[0]!
  x ^= x << 13
  x ^= x >>> 17
  x ^= x << 5
  state[0] = x
  return x
}
