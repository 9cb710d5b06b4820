import type { Config } from '../../core/config.ts'
import { maskBytes, parseAddress, parsePrefix, type Address, type Prefix } from '../../core/address.ts'
import { nameFromText, nameToText, typeFromText, type KeyRing, type TsigKeys } from '../wire/index.ts'

/** Another name server. Names of keys and zones are texts in lower case with their final dot. */
export interface Peer {
  readonly name: string
  readonly address: Address
  readonly port: number
  readonly key?: string
  /** A country code, or an address or prefix, of which the first address counts. */
  readonly place?: string
}

/** One who may: from these addresses, and with this key, where they are named. */
export interface AccessEntry {
  readonly prefix?: Prefix
  readonly key?: string
}

export type AccessList = readonly AccessEntry[]

/** Who may update what: names and types as the operator wrote them, absent: all. */
export interface UpdateRule {
  readonly key: string
  readonly names?: readonly string[]
  readonly types?: readonly number[]
}

export interface ZoneRules {
  readonly transfer: AccessList
  readonly notify: readonly Peer[]
  readonly update: readonly UpdateRule[]
  /** Of a secondary zone. */
  readonly primaries?: readonly Peer[]
  readonly serial: 'file' | 'auto'
}

/** Who may do what, and with whom. Plain values and keys, so that every thread has it. */
export interface Rules {
  readonly keys: TsigKeys
  readonly peers: readonly Peer[]
  /** What holds for all zones beside their own rules. */
  readonly everyZone: { readonly transfer: AccessList }
  /** By origin. */
  readonly zones: ReadonlyMap<string, ZoneRules>
  /** Country of loopback and private networks. */
  readonly local: string
}

export interface RuleOptions {
  readonly config: Pick<Config, 'peers' | 'zones' | 'geo'>
  /** Absent: none, before `withKeys`. */
  readonly keys?: TsigKeys
  /** Loopback may transfer every zone. */
  readonly isLab?: boolean
}

/** The name of a key or zone as the configuration has it -> as it is looked up. */
export function canonical(text: string): string {
  const wire = nameFromText(text)
  return typeof wire === 'string' ? `${text}.` : nameToText(wire).toLowerCase()
}

/** The rules of a configuration that has been checked. */
export function makeRules({ config, keys = new Map(), isLab = false }: RuleOptions): Rules {
  const peers = Object.entries(config.peers).map(([name, { address, port, key, place }]): Peer => ({
    name, address: parseAddress(address)!, port, ...(key !== undefined && { key: canonical(key) }), ...(place !== undefined && { place })
  }))
  const byName = new Map(peers.map((peer) => [peer.name, peer]))
  const some = (names: readonly string[]): Peer[] => names.flatMap((name) => byName.get(name) ?? [])
  const access = (text: string): AccessEntry => {
    if (text.startsWith('key:')) return { key: canonical(text.slice(4)) }
    const peer = byName.get(text)
    if (peer !== undefined) return { prefix: wholeAddress(peer.address), ...(peer.key !== undefined && { key: peer.key }) }
    return { prefix: parsePrefix(text)! }
  }
  const zones = Object.entries(config.zones).map(([origin, zone]): [string, ZoneRules] => [
    canonical(origin),
    {
      transfer: zone['allow-transfer'].map(access),
      notify: some(zone.notify),
      update: zone['allow-update'].map(({ key, names, types }) => ({
        key: canonical(key), ...(names !== undefined && { names }), ...(types !== undefined && { types: types.flatMap((type) => typeFromText(type) ?? []) })
      })),
      ...(zone.primaries !== undefined && { primaries: some(zone.primaries) }),
      serial: zone.serial
    }
  ])
  const lab = isLab ? ['127.0.0.0/8', '::1'].map((text): AccessEntry => ({ prefix: parsePrefix(text)! })) : []
  return { keys, peers, everyZone: { transfer: lab }, zones: new Map(zones), local: config.geo.local }
}

/** The same rules with the keys of this moment. */
export function withKeys(rules: Rules, { keys, everyZone }: KeyRing): Rules {
  const others = rules.everyZone.transfer.filter(({ prefix }) => prefix !== undefined)
  return { ...rules, keys, everyZone: { transfer: [...everyZone.map((key): AccessEntry => ({ key })), ...others] } }
}

/** Every key that the rules name. */
export function keysNamed({ peers, zones }: Rules): Set<string> {
  const lists = [...zones.values()].flatMap(({ transfer, update }) => [...transfer, ...update])
  return new Set([...peers, ...lists].flatMap(({ key }) => key ?? []))
}

const wholeAddress = ({ family, bytes }: Address): Prefix => ({ family, bytes, length: bytes.length * 8 })

/** Whether a list lets someone in. @param key of a signature that was verified */
export function isAllowed(list: AccessList, source: Address, key: string | undefined): boolean {
  return list.some(({ prefix, key: wanted }) => (prefix === undefined || contains(prefix, source)) && (wanted === undefined || wanted === key))
}

function contains(prefix: Prefix, { family, bytes }: Address): boolean {
  if (prefix.family !== family) return false
  const masked = maskBytes(bytes, prefix.length)
  return masked.every((octet, at) => octet === prefix.bytes[at])
}

/** Whether someone may have a zone. */
export function mayTransfer(rules: Rules, zone: string, source: Address, key: string | undefined): boolean {
  return isAllowed(rules.everyZone.transfer, source, key) || isAllowed(rules.zones.get(zone)?.transfer ?? [], source, key)
}

/** The peer that a message comes from: by its key, or else by its address. */
export function peerOf({ peers }: Rules, source: Address, key: string | undefined): Peer | undefined {
  const isFrom = (peer: Peer): boolean => contains(wholeAddress(peer.address), source)
  return peers.find((peer) => isFrom(peer) && peer.key === key) ?? peers.find((peer) => key !== undefined && peer.key === key) ?? peers.find(isFrom)
}
