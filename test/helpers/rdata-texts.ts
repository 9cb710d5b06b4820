import { array, constantFrom, domain, integer, ipV4, ipV6, oneof, record, stringMatching, tuple, uint8Array, type Arbitrary } from 'fast-check'
import { nameToText } from '../../daemon/wire/name.ts'
import type { TypeRow } from '../../daemon/wire/types.ts'

// What the fields of rows are made of, as text.
const name = oneof(domain().map((text) => `${text}.`), array(uint8Array({ minLength: 1, maxLength: 9 }), { maxLength: 4 }).map((labels) => nameToText(Uint8Array.from([...labels.flatMap((octets) => [octets.length, ...octets]), 0]))))
const quoted = uint8Array({ maxLength: 40 }).map((octets) => `"${[...octets].map((octet) => `\\${String(octet).padStart(3, '0')}`).join('')}"`)
const number = (most: number): Arbitrary<string> => integer({ min: 0, max: most }).map(String)
const hex = (count: number): Arbitrary<string> => uint8Array({ minLength: count, maxLength: count }).map((octets) => Buffer.from(octets).toString('hex'))
const someHex = integer({ min: 1, max: 40 }).chain(hex)
const base64 = uint8Array({ minLength: 1, maxLength: 40 }).map((octets) => Buffer.from(octets).toString('base64'))
const types = array(oneof(constantFrom('A', 'NS', 'CAA', 'RRSIG'), number(65_535).map((text) => `TYPE${text}`)), { maxLength: 8 }).map((all) => all.join(' '))
const time = integer({ min: 0, max: 0xffff_ffff }).map((seconds) => new Date(seconds * 1000).toISOString().replaceAll(/[-:T]|\.000Z/g, ''))
const parameters = record(
  { port: number(65_535), alpn: constantFrom('h2', '"h2,h3"', 'a\\\\,b'), ipv4hint: ipV4(), ipv6hint: ipV6(), ech: base64, dohpath: constantFrom('/q{?dns}'), key667: quoted },
  { requiredKeys: [] }
).map((all) => Object.entries(all).map(([key, value]) => `${key}=${value}`).join(' '))

const TEXTS: Readonly<Record<string, Arbitrary<string>>> = {
  u8: number(255), u16: number(65_535), u32: number(0xffff_ffff), ttl: number(0xffff_ffff), name, exactname: name, string: quoted,
  strings: array(quoted, { minLength: 1, maxLength: 4 }).map((all) => all.join(' ')), text: quoted, tag: stringMatching(/^[a-z0-9]{1,15}$/),
  ipv4: ipV4(), ipv6: ipV6(), eui48: hex(6).map((text) => text.match(/../g)!.join('-')), eui64: hex(8).map((text) => text.match(/../g)!.join('-')),
  locator: hex(8).map((text) => text.match(/..../g)!.join(':')), hex: someHex, base64, base32: stringMatching(/^[0-9A-V]{32}$/),
  salt: oneof(constantFrom('-'), someHex), digest: hex(20), algorithm: oneof(number(255), constantFrom('ED25519', 'rsasha256')),
  certtype: oneof(number(65_535), constantFrom('PGP')), type: constantFrom('A', 'HTTPS', 'TYPE65534'), types, time,
  prefixes: array(oneof(tuple(ipV4(), number(32)).map(([address, length]) => `1:${address}/${length}`), tuple(ipV6(), number(128)).map(([address, length]) => `!2:${address}/${length}`)), { maxLength: 4 }).map((all) => all.join(' ')),
  ipseckey: tuple(oneof(constantFrom('0 2 .'), ipV4().map((text) => `1 2 ${text}`), ipV6().map((text) => `2 2 ${text}`), name.map((text) => `3 2 ${text}`)), base64).map(([gateway, key]) => `10 ${gateway} ${key}`),
  loc: constantFrom('37 27 36.001 N 126 26 24.0 E 7m', '0 S 0 W -100000.00m 0m 90000000m 1m', '42 21 54 N 71 06 18 W -24m 30m'), svcparams: parameters,
  maybestring: oneof(constantFrom(''), quoted), nsap: someHex.map((text) => `0x${text}`), dsyncscheme: oneof(constantFrom('NOTIFY'), number(255)),
  hip: tuple(number(255), someHex, base64, array(name, { maxLength: 3 })).map(([algorithm, tag, key, servers]) => [algorithm, tag, key, ...servers].join(' ')),
  amtrelay: oneof(constantFrom('0 0 .'), ipV4().map((text) => `1 1 ${text}`), ipV6().map((text) => `0 2 ${text}`), name.map((text) => `1 3 ${text}`)).map((text) => `10 ${text}`),
  wks: tuple(ipV4(), constantFrom('TCP', 'udp', '132'), array(number(65_535), { maxLength: 5 })).map(([address, protocol, ports]) => [address, protocol, ...ports].join(' '))
}

/** Texts that are RDATA of a type. */
export function rdataText({ mnemonic, fields }: TypeRow): Arbitrary<string> {
  const parts = fields.split(' ').map((word) => {
    if (word === 'digesttype:u8') return constantFrom('1')
    const text = TEXTS[word.split(':')[1]!]
    if (text === undefined) throw new Error(`${mnemonic}: no texts for ${word}`)
    return text
  })
  return tuple(...parts).map((texts) => texts.join(' '))
}
