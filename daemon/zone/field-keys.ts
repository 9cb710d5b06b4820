import { suggestion } from '../../core/suggest.ts'
import { formatAddress } from '../../core/address.ts'
import { nameFault, nameToText } from '../wire/name.ts'
import { MNEMONIC_LIST, typeFromText, typeToText } from '../wire/types.ts'
import { type Entry, refuse, tokenText } from './entry.ts'
import { type Data, expect, type Field, plainNumber, readName, readNumber, take, takeOctets, takeRest, write16, write32, write8 } from './field.ts'
import { ipv4, ipv6 } from './field-addresses.ts'
import { base64 } from './field-binary.ts'

/** A number that has mnemonics too. */
function named(octets: 1 | 2, numbers: Readonly<Record<string, number>>): Field {
  return {
    read: (entry, what) => {
      if (!expect(entry, what)) return false
      const token = entry.next++
      const plain = plainNumber(entry, token, octets === 1 ? 255 : 65_535)
      const value = plain >= 0 ? plain : numbers[tokenText(entry, token).toUpperCase()]
      if (value === undefined) {
        const hint = (): string | undefined => suggestion(tokenText(entry, token), Object.keys(numbers))
        return refuse(entry, token, `expected ${what}, a number or a mnemonic, found ${tokenText(entry, token)}`, hint)
      }
      if (octets === 1) write8(entry, value)
      else write16(entry, value)
      return true
    },
    print: (data) => take(data, octets)?.toString()
  }
}

/** DNSSEC algorithms (RFC 4034 A.1 and the registry since). */
export const algorithm = named(1, {
  RSAMD5: 1, DH: 2, DSA: 3, RSASHA1: 5, 'DSA-NSEC3-SHA1': 6, 'RSASHA1-NSEC3-SHA1': 7, RSASHA256: 8, RSASHA512: 10, 'ECC-GOST': 12,
  ECDSAP256SHA256: 13, ECDSAP384SHA384: 14, ED25519: 15, ED448: 16, INDIRECT: 252, PRIVATEDNS: 253, PRIVATEOID: 254
})

/** Certificate types (RFC 4398 §2.1). */
export const certtype = named(2, { PKIX: 1, SPKI: 2, PGP: 3, IPKIX: 4, ISPKI: 5, IPGP: 6, ACPKIX: 7, IACPKIX: 8, URI: 253, OID: 254 })

/** Ways to be told of a change (RFC 9859 §2.1). */
export const dsyncscheme = named(1, { NOTIFY: 1 })

function readType(entry: Entry): number {
  const token = entry.next++
  const number = typeFromText(tokenText(entry, token))
  if (number !== undefined) return number
  refuse(entry, token, `expected a type, found ${tokenText(entry, token)}`, () => suggestion(tokenText(entry, token), MNEMONIC_LIST))
  return -1
}

/** One type, by its mnemonic. */
export const type: Field = {
  read: (entry, what) => {
    if (!expect(entry, what)) return false
    const number = readType(entry)
    if (number >= 0) write16(entry, number)
    return number >= 0
  },
  print: (data) => {
    const number = take(data, 2)
    return number === undefined ? undefined : typeToText(number)
  }
}

/** A set of types to the end, as windows of a bit map (RFC 4034 §4.1.2). */
export const types: Field = {
  read: (entry) => {
    const numbers = new Set<number>()
    while (entry.next < entry.count) {
      const number = readType(entry)
      if (number < 0) return false
      numbers.add(number)
    }
    const sorted = [...numbers].sort((a, b) => a - b)
    for (let first = 0; first < sorted.length; ) {
      const window = sorted[first]! >>> 8
      const map = new Uint8Array(32)
      let length = 0
      for (; first < sorted.length && sorted[first]! >>> 8 === window; first++) {
        const bit = sorted[first]! & 0xff
        map[bit >>> 3]! |= 0x80 >>> (bit & 7)
        length = (bit >>> 3) + 1
      }
      write8(entry, window)
      write8(entry, length)
      entry.out.set(map.subarray(0, length), entry.write)
      entry.write += length
    }
    return true
  },
  print: (data) => {
    const names: string[] = []
    let last = -1
    while (data.at < data.end) {
      const window = take(data, 1)!
      const length = take(data, 1)
      const map = length === undefined ? undefined : takeOctets(data, length)
      if (map === undefined || window <= last || map.length === 0 || map.length > 32 || map.at(-1) === 0) return undefined
      last = window
      for (let bit = 0; bit < map.length * 8; bit++) if ((map[bit >>> 3]! & (0x80 >>> (bit & 7))) !== 0) names.push(typeToText(window * 256 + bit))
    }
    return names.join(' ')
  }
}

/** A time of RRSIG: YYYYMMDDHHmmSS in UTC, or seconds since 1970 (RFC 4034 §3.2). */
export const time: Field = {
  read: (entry, what) => {
    if (!expect(entry, what)) return false
    const token = entry.next++
    const text = tokenText(entry, token)
    const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(text)
    const iso = match === null ? undefined : `${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}.000Z`
    const seconds = iso === undefined ? plainNumber(entry, token, 0xffff_ffff) : Date.parse(iso) / 1000
    const right = iso === undefined ? seconds >= 0 : seconds >= 0 && new Date(seconds * 1000).toISOString() === iso
    if (!right) return refuse(entry, token, `expected ${what}, a time such as 20270101000000, found ${text}`)
    write32(entry, seconds % 2 ** 32)
    return true
  },
  print: (data) => {
    const seconds = take(data, 4)
    return seconds === undefined ? undefined : new Date(seconds * 1000).toISOString().replaceAll(/[-:T]|\.000Z/g, '')
  }
}

/** Precedence, gateway type, algorithm, a gateway of that type, and the key (RFC 4025 §3). */
export const ipseckey: Field = {
  read: (entry) => {
    const precedence = readNumber(entry, 'precedence', 255)
    const kind = precedence < 0 ? -1 : readNumber(entry, 'gateway type', 3)
    const algorithm = kind < 0 ? -1 : readNumber(entry, 'algorithm', 255)
    if (algorithm < 0) return false
    write8(entry, precedence)
    write8(entry, kind)
    write8(entry, algorithm)
    if (!readGateway(entry, kind)) return false
    return entry.next === entry.count || base64.read(entry, 'key')
  },
  print: (data) => {
    const precedence = take(data, 1)
    const kind = take(data, 1)
    const algorithm = take(data, 1)
    if (algorithm === undefined || kind! > 3) return undefined
    const gateway = gatewayText(data, kind!)
    if (gateway === undefined) return undefined
    const head = `${precedence} ${kind} ${algorithm} ${gateway}`
    return data.at < data.end ? `${head} ${base64.print(data)}` : head
  }
}

function readGateway(entry: Entry, kind: number): boolean {
  if (kind === 1) return ipv4.read(entry, 'gateway')
  if (kind === 2) return ipv6.read(entry, 'gateway')
  if (!expect(entry, 'gateway')) return false
  const token = entry.next++
  if (kind === 0) return tokenText(entry, token) === '.' || refuse(entry, token, `gateway type 0 has the gateway ., found ${tokenText(entry, token)}`)
  const length = readName(entry, token)
  return length > 0 || refuse(entry, token, `gateway: ${nameFault(length)}`)
}

function gatewayText(data: Data, kind: number): string | undefined {
  if (kind === 0) return '.'
  if (kind === 3) {
    const rest = takeRest(data)
    let at = 0
    while (at < rest.length && rest[at]! > 0 && rest[at]! < 64) at += rest[at]! + 1
    if (rest[at] !== 0) return undefined
    data.at -= rest.length - at - 1
    return nameToText(rest)
  }
  const octets = takeOctets(data, kind === 1 ? 4 : 16)
  return octets === undefined ? undefined : formatAddress(octets)
}

/** Precedence, whether discovery is optional, type of relay, and a relay of that type (RFC 8777 §4). */
export const amtrelay: Field = {
  read: (entry) => {
    const precedence = readNumber(entry, 'precedence', 255)
    const optional = precedence < 0 ? -1 : readNumber(entry, 'discovery optional', 1)
    const kind = optional < 0 ? -1 : readNumber(entry, 'relay type', 3)
    if (kind < 0) return false
    write8(entry, precedence)
    write8(entry, (optional << 7) | kind)
    return readGateway(entry, kind)
  },
  print: (data) => {
    const precedence = take(data, 1)
    const packed = take(data, 1)
    if (packed === undefined || (packed & 0x7f) > 3) return undefined
    const relay = gatewayText(data, packed & 0x7f)
    return relay === undefined ? undefined : `${precedence} ${packed >>> 7} ${packed & 0x7f} ${relay}`
  }
}
