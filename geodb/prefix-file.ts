import { formatAddress, maskBytes } from '../core/address.ts'
import { readIpv4, readIpv6 } from '../core/address-text.ts'
import type { Fault } from '../core/trouble.ts'
import { addOctets, makePrefixList, type PrefixList } from './prefixes.ts'

// Text files of one item a line: prefixes, or numbers of autonomous systems. `#` begins a comment.

/** Faults that one file is told of: what is no list at all has one in every line. */
const MOST_FAULTS = 20
/** Lines that count in one file. */
const MOST_ITEMS = 4_000_000

/** Reads a file of prefixes, a million of them in well under a second. @param file its path as shown in messages */
export function readPrefixFile(file: string, text: Uint8Array): { readonly list: PrefixList; readonly faults: readonly Fault[] } {
  const list = makePrefixList()
  const octets = new Uint8Array(16)
  const faults = eachItem(file, text, (from, to) => {
    let slash = from
    while (slash < to && text[slash] !== 0x2f) slash++
    const isIpv4 = readIpv4(text, from, slash, octets, 0)
    if (!isIpv4 && !readIpv6(text, from, slash, octets, 0)) return { reason: 'expected an address or a prefix, such as 198.51.100.0/24' }
    const longest = isIpv4 ? 32 : 128
    const length = slash === to ? longest : numberIn(text, slash + 1, to, longest)
    if (length < 0) return { reason: `expected a length of 0 to ${longest} behind the slash` }
    const size = longest / 8
    if (hasHostBits(octets, size, length)) return { reason: 'has bits set behind its length', hint: `did you mean ${formatAddress(maskBytes(octets.subarray(0, size), length))}/${length}?` }
    if (!isIpv4 && length >= 96 && isMapped(octets)) return { reason: 'IPv4 in the clothes of IPv6 comes in as IPv4', hint: `write ${formatAddress(octets.subarray(12))}/${length - 96}` }
    addOctets(isIpv4 ? list.v4 : list.v6, octets, length)
    return undefined
  })
  return { list, faults }
}

/** Reads a file of AS numbers, written 64500 or AS64500. */
export function readAsFile(file: string, text: Uint8Array): { readonly asns: readonly number[]; readonly faults: readonly Fault[] } {
  const asns: number[] = []
  const faults = eachItem(file, text, (from, to) => {
    const hasLetters = to - from > 2 && (text[from]! | 0x20) === 0x61 && (text[from + 1]! | 0x20) === 0x73
    const asn = numberIn(text, hasLetters ? from + 2 : from, to, 0xffffffff)
    if (asn <= 0) return { reason: 'expected the number of an autonomous system, such as AS64500' }
    asns.push(asn)
    return undefined
  })
  return { asns, faults }
}

function eachItem(file: string, text: Uint8Array, read: (from: number, to: number) => Pick<Fault, 'reason' | 'hint'> | undefined): Fault[] {
  const faults: Fault[] = []
  let more = 0
  let items = 0
  let line = 1
  for (let start = 0; start < text.length; line++) {
    let end = start
    let last = -1
    let first = -1
    let isComment = false
    for (; end < text.length && text[end] !== 10; end++) {
      const octet = text[end]!
      if (octet === 0x23) isComment = true
      if (isComment || octet === 32 || octet === 9 || octet === 13) continue
      if (first < 0) first = end
      last = end
    }
    if (first >= 0) {
      const fault = ++items > MOST_ITEMS ? { reason: `more than ${MOST_ITEMS} lines` } : read(first, last + 1)
      if (fault !== undefined && faults.length < MOST_FAULTS) faults.push({ file, line, column: first - start + 1, severity: 'error', ...shownFault(text, first, last + 1, fault) })
      else if (fault !== undefined) more++
      if (items > MOST_ITEMS) break
    }
    start = end + 1
  }
  if (more > 0) faults.push({ ...faults.at(-1)!, reason: `and ${more} more lines that cannot be read` })
  return faults
}

/** With what stands there, as far as it fits into a line. */
function shownFault(text: Uint8Array, from: number, to: number, { reason, hint }: Pick<Fault, 'reason' | 'hint'>): Pick<Fault, 'reason' | 'hint'> {
  const written = Buffer.from(text.subarray(from, Math.min(to, from + 60))).toString('utf8').replace(/[^\x20-\x7e]/g, '?')
  return { reason: `${written}: ${reason}`, ...(hint !== undefined && { hint }) }
}

/** A whole number without sign and without zeros before it; -1 when it is none or above `most`. */
function numberIn(text: Uint8Array, from: number, to: number, most: number): number {
  if (from === to || (text[from] === 48 && to > from + 1)) return -1
  let value = 0
  for (let at = from; at < to; at++) {
    const digit = text[at]! - 48
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
    if (value > most) return -1
  }
  return value
}

function hasHostBits(octets: Uint8Array, size: number, length: number): boolean {
  const first = length >>> 3
  if (first < size && (octets[first]! & (0xff >>> (length & 7))) !== 0) return true
  for (let at = first + 1; at < size; at++) if (octets[at] !== 0) return true
  return false
}

function isMapped(octets: Uint8Array): boolean {
  for (let at = 0; at < 10; at++) if (octets[at] !== 0) return false
  return octets[10] === 0xff && octets[11] === 0xff
}
