import { formatAddress } from '../../core/address.ts'
import { readIpv4, readIpv6 } from '../../core/address-text.ts'
import { type Entry, refuse, tokenText } from './entry.ts'
import { expect, type Field, take, takeOctets, write16, write8 } from './field.ts'

export const ipv4: Field = {
  read: (entry, what) => {
    if (!expect(entry, what)) return false
    const token = entry.next++
    if (!readIpv4(entry.text, entry.starts[token]!, entry.ends[token]!, entry.out, entry.write)) {
      return refuse(entry, token, `expected an IPv4 address, found ${tokenText(entry, token)}`, () => ipv4Hint(tokenText(entry, token)))
    }
    entry.write += 4
    return true
  },
  print: (data) => takeOctets(data, 4)?.join('.')
}

export const ipv6: Field = {
  read: (entry, what) => {
    if (!expect(entry, what)) return false
    const token = entry.next++
    if (!readIpv6(entry.text, entry.starts[token]!, entry.ends[token]!, entry.out, entry.write)) {
      return refuse(entry, token, `expected an IPv6 address, found ${tokenText(entry, token)}`, () => ipv6Hint(tokenText(entry, token)))
    }
    entry.write += 16
    return true
  },
  print: (data) => {
    const octets = takeOctets(data, 16)
    return octets === undefined ? undefined : formatAddress(octets)
  }
}

function ipv4Hint(found: string): string {
  if (found.includes(':')) return 'an IPv6 address goes into AAAA'
  if (/^[\d.]+$/.test(found)) return 'four numbers from 0 to 255 without leading zeros, such as 192.0.2.1'
  if (found.includes('/')) return 'one address, not a network: such as 192.0.2.1'
  return 'such as 192.0.2.1; a name goes into CNAME or ALIAS, a policy into ROUTE'
}

function ipv6Hint(found: string): string {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(found)) return 'an IPv4 address goes into A'
  if (found.startsWith('[')) return 'without the brackets'
  return 'groups of up to four hexadecimal digits, such as 2001:db8::1'
}

/** Groups of as many hexadecimal digits as `digits` says, with a separator between them. */
function groups(count: number, digits: readonly [number, number], separator: string, example: string): Field {
  const pattern = new RegExp(`^([0-9a-f]{${digits[0]},${digits[1]}})(${separator}[0-9a-f]{${digits[0]},${digits[1]}}){${count - 1}}$`, 'i')
  const writer = digits[1] === 4 ? write16 : write8
  return {
    read: (entry, what) => {
      if (!expect(entry, what)) return false
      const token = entry.next++
      const text = tokenText(entry, token)
      if (!pattern.test(text)) return refuse(entry, token, `expected ${what}, such as ${example}, found ${text}`)
      for (const group of text.split(separator)) writer(entry, Number.parseInt(group, 16))
      return true
    },
    print: (data) => {
      const parts: string[] = []
      for (let group = 0; group < count; group++) {
        const value = take(data, digits[1] === 4 ? 2 : 1)
        if (value === undefined) return undefined
        parts.push(value.toString(16).padStart(digits[1], '0'))
      }
      return parts.join(separator)
    }
  }
}

/** RFC 7043 */
export const eui48 = groups(6, [2, 2], '-', '00-00-5e-00-53-2a')
export const eui64 = groups(8, [2, 2], '-', '00-00-5e-ef-10-00-00-2a')
/** RFC 6742 */
export const locator = groups(4, [1, 4], ':', '2001:db8:1140:1000')

/** Address prefixes of APL, with ! before those that are left out (RFC 3123). */
export const prefixes: Field = {
  read: (entry) => {
    while (entry.next < entry.count) if (!readPrefix(entry, entry.next++)) return false
    return true
  },
  print: (data) => {
    const all: string[] = []
    while (data.at < data.end) {
      const family = take(data, 2)
      const length = take(data, 1)
      const packed = take(data, 1)
      if (packed === undefined || (family !== 1 && family !== 2)) return undefined
      const octets = takeOctets(data, packed & 0x7f)
      const size = family === 1 ? 4 : 16
      if (octets === undefined || octets.length > size || octets.at(-1) === 0 || length! > size * 8) return undefined
      const address = new Uint8Array(size)
      address.set(octets)
      all.push(`${packed > 127 ? '!' : ''}${family}:${formatAddress(address)}/${length}`)
    }
    return all.join(' ')
  }
}

function readPrefix(entry: Entry, token: number): boolean {
  const text = tokenText(entry, token)
  const match = /^(!?)([12]):([0-9a-f.:]+)\/(\d{1,3})$/i.exec(text)
  const octets = new Uint8Array(16)
  const address = new TextEncoder().encode(match?.[3] ?? '')
  const size = match?.[2] === '1' ? 4 : 16
  const right = size === 4 ? readIpv4(address, 0, address.length, octets, 0) : readIpv6(address, 0, address.length, octets, 0)
  if (match === null || !right || Number(match[4]) > size * 8) {
    return refuse(entry, token, `expected a prefix such as 1:192.0.2.0/24 or !2:2001:db8::/32, found ${text}`)
  }
  let used = size
  while (used > 0 && octets[used - 1] === 0) used--
  write16(entry, Number(match[2]))
  write8(entry, Number(match[4]))
  write8(entry, used | (match[1] === '!' ? 0x80 : 0))
  entry.out.set(octets.subarray(0, used), entry.write)
  entry.write += used
  return true
}
