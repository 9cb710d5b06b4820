import { formatAddress, maskBytes, parseAddress, parsePrefix, type Prefix } from '../../core/address.ts'
import type { AsPrefixes, NamedPrefixes, Network } from '../../geodb/index.ts'
import type { Arm } from './tree.ts'

// Branches by network: their keys, and which of them a viewer's network goes by.

/** What the policies of a file go by beside places: the table of networks is made from it. */
export interface NetworkPlan {
  readonly named: readonly NamedPrefixes[]
  /** Autonomous systems, and the collections that each stands in. */
  readonly asns: readonly Pick<AsPrefixes, 'asn' | 'lists'>[]
}

export const NO_PLAN: NetworkPlan = { named: [], asns: [] }

/** Whether a key is meant as a prefix, sound or not. */
export function isPrefixLike(written: string): boolean {
  return /^(\d+\.[\d.]*|[\da-f]*:[\da-f:.]*)(\/.*)?$/i.test(written)
}

/** A prefix as a key: always the same text for the same prefix. */
export function prefixKey({ bytes, length }: Prefix): string {
  return `${formatAddress(bytes)}/${length}`
}

export const isPrefixKey = (key: string): boolean => /^[\da-f:.]+\/\d+$/.test(key)

/** Whether a key is meant as an autonomous system, sound or not. */
export const isAsLike = (written: string): boolean => /^as-?\d*$/i.test(written) && written.length > 2

/** `as-64500`, of 1 to 4294967295; undefined for what is none. */
export function asKey(written: string): string | undefined {
  const [, digits = ''] = /^as-?([1-9]\d{0,9})$/i.exec(written) ?? []
  return digits === '' || Number(digits) > 0xffffffff ? undefined : `as-${digits}`
}

/** The number in a key that `asKey` made; undefined for other keys. */
export function asOfKey(key: string): number | undefined {
  const [, digits] = /^as-(\d+)$/.exec(key) ?? []
  return digits === undefined ? undefined : Number(digits)
}

/** Reads a prefix written by hand; a text says what is wrong with it. */
export function readPrefix(written: string): Prefix | { readonly reason: string; readonly hint?: string } {
  const prefix = parsePrefix(written)
  if (prefix === undefined) return { reason: `${written}: expected an address or a prefix without host bits, such as 198.51.100.0/24`, ...hintFor(written) }
  const isMapped = prefix.family === 6 && prefix.length >= 96 && prefix.bytes.subarray(0, 10).every((octet) => octet === 0) && prefix.bytes[10] === 0xff && prefix.bytes[11] === 0xff
  if (!isMapped) return prefix
  return { reason: `${written}: IPv4 in the clothes of IPv6 comes in as IPv4`, hint: `write ${formatAddress(prefix.bytes.subarray(12))}/${prefix.length - 96}` }
}

/** What it would be without host bits. */
function hintFor(written: string): { hint?: string } {
  const [, text = '', digits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(written) ?? []
  const address = parseAddress(text)
  const length = Number(digits)
  if (address === undefined || digits === '' || length > address.bytes.length * 8) return {}
  return { hint: `did you mean ${prefixKey({ family: address.family, bytes: maskBytes(address.bytes, length), length })}?` }
}

/** The branches whose prefixes a network lies in: the longest prefix first, and where two are as long the one written first. */
export function armsWithin(arms: readonly Arm[], network: Network): Arm[] {
  if (network.in.length === 0) return []
  return arms
    .flatMap((arm) => {
      const found = network.in.find(([name]) => name === arm.key)
      return found === undefined ? [] : [{ arm, length: found[1] }]
    })
    .sort((a, b) => b.length - a.length)
    .map(({ arm }) => arm)
}

/** The branch of a network's autonomous system, then those of the collections that hold it. */
export function armsByAs(arms: readonly Arm[], { asn, as = [] }: Network): Arm[] {
  if (asn === undefined) return []
  return [...arms.filter(({ key }) => asOfKey(key) === asn), ...arms.filter(({ key }) => as.includes(key))]
}
