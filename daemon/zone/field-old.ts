// Text forms that few zones have and all peers read.
import { nameFault, nameToText } from '../wire/name.ts'
import { type Entry, refuse, tokenText } from './entry.ts'
import { type Data, expect, type Field, plainNumber, readName, readNumber, take, takeOctets, write8 } from './field.ts'
import { ipv4 } from './field-addresses.ts'
import { hexText, readBase64 } from './field-binary.ts'

/** An NSAP address: 0x and hexadecimal digits, dots anywhere between them (RFC 1706 §5). */
export const nsap: Field = {
  read: (entry, what) => {
    if (!expect(entry, what)) return false
    const token = entry.next++
    const digits = /^0x([0-9a-f.]+)$/i.exec(wholeText(entry, token))?.[1]?.replaceAll('.', '')
    if (digits === undefined || digits === '' || digits.length % 2 === 1) return refuse(entry, token, `expected ${what}, 0x and an even number of hexadecimal digits, found ${tokenText(entry, token)}`)
    entry.out.set(Buffer.from(digits, 'hex'), entry.write)
    entry.write += digits.length / 2
    return true
  },
  print: (data) => (data.at < data.end ? `0x${hexText(takeOctets(data, data.end - data.at)!)}` : undefined)
}

/** All of a token, where `tokenText` cuts what is long. */
function wholeText(entry: Entry, token: number): string {
  return Buffer.from(entry.text.subarray(entry.starts[token], entry.ends[token])).toString('latin1')
}

/** Algorithm, host identity tag, public key, and the names of rendezvous servers (RFC 8005 §5). */
export const hip: Field = {
  read: (entry) => {
    const algorithm = readNumber(entry, 'algorithm', 255)
    if (algorithm < 0 || !expect(entry, 'host identity tag')) return false
    const token = entry.next++
    const tag = wholeText(entry, token)
    if (!/^([0-9a-f]{2}){1,255}$/i.test(tag)) return refuse(entry, token, `expected the host identity tag, up to 255 octets in hexadecimal digits, found ${tokenText(entry, token)}`)
    const head = entry.write
    entry.write += 4
    entry.out.set(Buffer.from(tag, 'hex'), entry.write)
    entry.write += tag.length / 2
    const key = entry.write
    // The key is one word: the names stand behind it.
    if (!readBase64(entry, 'public key', entry.next + 1)) return false
    const length = entry.write - key
    entry.out.set([tag.length / 2, algorithm, length >>> 8, length & 0xff], head)
    for (; entry.next < entry.count; entry.next++) {
      const name = readName(entry, entry.next)
      if (name < 0) return refuse(entry, entry.next, `rendezvous server: ${nameFault(name)}`)
    }
    return true
  },
  print: (data) => {
    const tagLength = take(data, 1)
    const algorithm = take(data, 1)
    const keyLength = take(data, 2)
    const tag = keyLength === undefined ? undefined : takeOctets(data, tagLength!)
    const key = tag === undefined ? undefined : takeOctets(data, keyLength!)
    if (tag === undefined || key === undefined || tag.length === 0 || key.length === 0) return undefined
    const servers: string[] = []
    while (data.at < data.end) {
      const name = takeName(data)
      if (name === undefined) return undefined
      servers.push(name)
    }
    return [algorithm, hexText(tag), Buffer.from(key).toString('base64'), ...servers].join(' ')
  }
}

/** A name in wire form as text; undefined when there is none at data.at. */
export function takeName(data: Data): string | undefined {
  const start = data.at
  let at = start
  for (;;) {
    const length = data.octets[at]
    if (at >= data.end || length === undefined || length > 63) return undefined
    at += length + 1
    if (at > data.end || at - start > 255) return undefined
    if (length === 0) break
  }
  data.at = at
  return nameToText(data.octets, start)
}

const PROTOCOLS: Readonly<Record<string, number>> = { ICMP: 1, TCP: 6, UDP: 17 }
const SERVICES: Readonly<Record<string, number>> = {
  echo: 7, discard: 9, daytime: 13, 'ftp-data': 20, ftp: 21, ssh: 22, telnet: 23, smtp: 25, time: 37, domain: 53, tftp: 69, gopher: 70, finger: 79, http: 80, pop3: 110, nntp: 119, ntp: 123, imap2: 143, snmp: 161, https: 443
}

/** Address, protocol, and a bit map of ports (RFC 1035 §3.4.2). */
export const wks: Field = {
  read: (entry) => {
    if (!ipv4.read(entry, 'address') || !expect(entry, 'protocol')) return false
    const token = entry.next++
    const number = plainNumber(entry, token, 255)
    const protocol = number >= 0 ? number : PROTOCOLS[tokenText(entry, token).toUpperCase()]
    if (protocol === undefined) return refuse(entry, token, `expected protocol, TCP, UDP or a number, found ${tokenText(entry, token)}`)
    write8(entry, protocol)
    let octets = 0
    entry.out.fill(0, entry.write, entry.write + 8192)
    for (; entry.next < entry.count; entry.next++) {
      const plain = plainNumber(entry, entry.next, 65_535)
      const port = plain >= 0 ? plain : SERVICES[tokenText(entry, entry.next).toLowerCase()]
      if (port === undefined) return refuse(entry, entry.next, `expected a port, a number or a service such as smtp, found ${tokenText(entry, entry.next)}`)
      entry.out[entry.write + (port >>> 3)]! |= 0x80 >>> (port & 7)
      octets = Math.max(octets, (port >>> 3) + 1)
    }
    entry.write += octets
    return true
  },
  print: (data) => {
    const address = ipv4.print(data)
    const protocol = address === undefined ? undefined : take(data, 1)
    if (protocol === undefined || data.end - data.at > 8192 || (data.end > data.at && data.octets[data.end - 1] === 0)) return undefined
    const ports: number[] = []
    for (let first = 0; data.at < data.end; first += 8) {
      const octet = take(data, 1)!
      for (let bit = 0; bit < 8; bit++) if ((octet & (0x80 >>> bit)) !== 0) ports.push(first + bit)
    }
    return [address, protocol, ...ports].join(' ')
  }
}
