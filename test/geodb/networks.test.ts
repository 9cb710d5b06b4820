import fc from 'fast-check'
import t from 'tap'
import { formatAddress, maskBytes, parseAddress, parsePrefix, type Prefix } from '../../core/address.ts'
import { makeImage } from '../../daemon/latency/image.ts'
import { buildNetworks, openNetworks, prefixListOf, type Networks } from '../../geodb/index.ts'

const prefix = (text: string): Prefix => parsePrefix(text)!
const named = (lists: Readonly<Record<string, readonly string[]>>) => Object.entries(lists).map(([name, texts]) => ({ name, prefixes: prefixListOf(texts.map(prefix)) }))

/** `office/24 by 192.0.2.0/25`: what an address lies in, and for which prefix that holds. */
function told(networks: Networks, text: string): string {
  const { family, bytes } = parseAddress(text)!
  const found = family === 4 ? networks.find4(Buffer.from(bytes).readUInt32BE()) : networks.find6(bytes, 0)
  const length = found & 0xff
  const { in: lists, asn, as = [], row } = networks.network(found >>> 8)
  const parts = [...lists.map(([name, long]) => `${name}/${long}`), ...(asn === undefined ? [] : [`AS${asn} ${as.join()}`]), ...(row === undefined ? [] : [`row ${row}`])]
  return `${parts.join(' ')} by ${formatAddress(maskBytes(bytes, length))}/${length}`
}

t.test('an address is in every list that holds it, the longest prefix first', async (t) => {
  const networks = openNetworks(buildNetworks({
    named: named({ office: ['192.0.2.0/24', '192.0.2.128/25', '2001:db8::/32'], floor: ['192.0.2.0/26'], all: ['0.0.0.0/0'], last: ['255.255.255.255', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'] }),
    asns: [{ asn: 64500, lists: ['carriers'], prefixes: prefixListOf([prefix('198.51.100.0/24')]) }],
    measured: makeImage(new Map([['198.51.101.0/24', [{ ms: 5, samples: 20 }]], ['192.0.2.0/24', [{ ms: 5, samples: 20 }]]]), 1)
  })!)
  t.equal(networks.latencies?.columns, 1)
  t.equal(told(networks, '192.0.2.20'), 'floor/26 office/24 all/0 row 1 by 192.0.2.0/26')
  t.equal(told(networks, '192.0.2.1'), 'floor/26 office/24 all/0 row 1 by 192.0.2.0/26')
  t.equal(told(networks, '192.0.2.200'), 'office/25 all/0 row 1 by 192.0.2.128/25')
  t.equal(told(networks, '192.0.3.1'), 'all/0 by 192.0.3.0/24')
  t.equal(told(networks, '198.51.100.9'), 'all/0 AS64500 carriers by 198.51.100.0/24')
  t.equal(told(networks, '255.255.255.255'), 'last/32 all/0 by 255.255.255.255/32')
  t.equal(told(networks, '2001:db8::1'), 'office/32 by 2001:db8::/32')
  t.equal(told(networks, '::ffff:192.0.2.200'), 'office/25 all/0 row 1 by ::ffff:c000:280/121')
  t.equal(told(networks, 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'), 'last/128 by ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128')
  t.equal(told(networks, 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe'), ' by ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/128')
  t.equal(told(networks, '2002:c000:201::1'), ' by 2002::/15', 'a 6to4 address is not what its IPv4 address is: anybody can have one')
  t.equal(buildNetworks({ named: [] }), undefined)
})

/** Short ends and few of them, so that prefixes meet. */
const anyPrefix = (family: 4 | 6): fc.Arbitrary<Prefix> =>
  fc.record({ first: fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), last: fc.nat(255), length: fc.oneof(fc.nat(12), fc.integer({ min: family === 4 ? 24 : 118, max: family === 4 ? 32 : 128 })) }).map(({ first, last, length }) => {
    const bytes = new Uint8Array(family === 4 ? 4 : 16).fill(first === 0xff ? 0xff : 0)
    bytes[0] = first
    bytes[bytes.length - 1] = last
    return { family, length, bytes: maskBytes(bytes, length) }
  })

const isWithin = (bytes: Uint8Array, { bytes: start, length }: Prefix): boolean => Buffer.compare(maskBytes(bytes, length), start) === 0

t.test('is what a search through all prefixes finds, and holds for the whole prefix it names', async () => {
  for (const family of [4, 6] as const) {
    const longest = family === 4 ? 32 : 128
    fc.assert(
      fc.property(fc.array(fc.tuple(anyPrefix(family), fc.constantFrom('a', 'b', 'c')), { minLength: 1, maxLength: 12 }), fc.array(anyPrefix(family), { minLength: 1, maxLength: 8 }), (members, asked) => {
        const lists = ['a', 'b', 'c'].map((name) => ({ name, prefixes: prefixListOf(members.filter(([, of]) => of === name).map(([each]) => each)) }))
        const networks = openNetworks(buildNetworks({ named: lists })!)
        const find = (bytes: Uint8Array): number => (family === 4 ? networks.find4(Buffer.from(bytes).readUInt32BE()) : networks.find6(bytes, 0))
        const expected = (bytes: Uint8Array): string =>
          ['a', 'b', 'c'].flatMap((name) => {
            const lengths = members.flatMap(([each, of]) => (of === name && isWithin(bytes, each) ? [each.length] : []))
            return lengths.length === 0 ? [] : [[name, Math.max(...lengths)] as const]
          }).sort(([a, long], [b, short]) => short - long || (a < b ? -1 : 1)).join(' ')
        for (const { bytes } of asked) {
          const found = find(bytes)
          const length = found & 0xff
          if (networks.network(found >>> 8).in.join(' ') !== expected(bytes)) return false
          // Both ends of the prefix are the same, and the prefix of one bit less has something else in it, or is no prefix at all.
          const start = maskBytes(bytes, length)
          const end = start.map((octet, at) => octet | (0xff >>> Math.min(8, Math.max(0, length - at * 8))))
          if (find(start) >>> 8 !== found >>> 8 || find(end) >>> 8 !== found >>> 8) return false
          if (members.some(([each]) => each.length > length && isWithin(each.bytes, { family, bytes: start, length }) && expected(each.bytes) !== expected(bytes))) return false
          if (length > longest) return false
        }
        return true
      }),
      { numRuns: 300 }
    )
  }
})
