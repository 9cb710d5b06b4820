import t from 'tap'
import { formatAddress, ipv4Number, maskBytes, parseAddress, parsePrefix } from '../../core/address.ts'
import { formatFault } from '../../core/trouble.ts'
import { buildPlaces, findDatabase, mergeOverrides, NO_OVERRIDES, NOWHERE, openPlaces, readOverrides, type Override, type Overrides, type Places } from '../../geodb/index.ts'

const bundled = findDatabase({ folder: '/nonexistent', setting: 'auto' })
if ('fault' in bundled) throw new Error(bundled.fault.reason)
const base = await buildPlaces({ database: bundled.path, local: 'KR' })

/** A generator that gives the same numbers in every run. */
function randoms(seed: number): (below: number) => number {
  let x = seed
  return (below) => {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((x / 2 ** 32) * below)
  }
}

const find = (places: Pick<Places, 'find4' | 'find6'>, { family, bytes }: { family: 4 | 6; bytes: Uint8Array }): number => (family === 4 ? places.find4(ipv4Number(bytes)) : places.find6(bytes, 0))
const read = (text: string): Overrides => {
  const { overrides, faults } = readOverrides('overrides.yaml', text)
  if (overrides === undefined) throw new Error(faults.map(formatFault).join('\n'))
  return overrides
}

const covers = ({ prefix }: Override, { family, bytes }: { family: 4 | 6; bytes: Uint8Array }): boolean =>
  prefix.family === family && Buffer.compare(maskBytes(bytes, prefix.length), prefix.bytes) === 0

t.test('the longest network that covers an address counts, and the database for the rest', async (t) => {
  const random = randoms(7)
  const countries = ['BR', 'DE', 'US', 'ZA', 'KR']
  const lines = Array.from({ length: 400 }, () => {
    const isSix = random(3) === 0
    const bytes = Uint8Array.from({ length: isSix ? 16 : 4 }, () => random(256))
    if (isSix) bytes.set([0x2a, random(16)])
    else bytes[0] = 1 + random(220)
    const length = (isSix ? 20 : 6) + random(isSix ? 100 : 27)
    return `  ${formatAddress(maskBytes(bytes, length))}/${length}: ${countries[random(countries.length)]}`
  })
  const overrides = read(`networks:\n${[...new Map(lines.map((line) => [line.split(': ')[0], line])).values()].join('\n')}\n  127.0.5.0/24: BR\n  0.0.0.0/1: ZA\n`)
  const before = openPlaces(base)
  const after = openPlaces(mergeOverrides(base, overrides))
  const inOverrides = overrides.networks.map(({ prefix }) => prefix)
  for (let round = 0; round < 4000; round++) {
    const isNear = random(2) === 0
    const near = inOverrides[random(inOverrides.length)]!
    const family = isNear ? near.family : random(2) === 0 ? 4 : 6
    const bytes = Uint8Array.from({ length: family === 4 ? 4 : 16 }, (_, at) => (isNear && at * 8 + 8 <= near.length ? near.bytes[at]! : random(256)))
    const address = { family, bytes } as const
    const [longest] = overrides.networks.filter((each) => covers(each, address)).toSorted((a, b) => b.prefix.length - a.prefix.length)
    const value = find(after, address)
    const expected = longest?.place ?? before.place(find(before, address) >>> 8)
    if (JSON.stringify(after.place(value >>> 8)) !== JSON.stringify(expected)) return void t.same(after.place(value >>> 8), expected, formatAddress(bytes))
    // Every address of the prefix that is told is in that place.
    const length = value & 0xff
    const other = bytes.map((byte, at) => (at * 8 >= length ? random(256) : at * 8 + 8 <= length ? byte : (byte & (0xff << (8 - (length - at * 8)))) | (random(256) >>> (length - at * 8))))
    if (find(after, { family, bytes: other }) !== value) return void t.fail(`${formatAddress(other)} is not where ${formatAddress(bytes)}/${length} is`)
  }
  t.equal(after.place(find(after, parseAddress('127.0.5.1')!) >>> 8).source, `overrides.yaml:${2 + new Map(lines.map((line) => [line.split(': ')[0], line])).size}`)
  t.equal(after.place(find(after, parseAddress('127.0.6.1')!) >>> 8).country, 'ZA', 'a shorter one than a special-use network wins over it too: it was written by hand')
})

t.test('nothing to say changes nothing', async (t) => {
  t.equal(Buffer.compare(Buffer.from(mergeOverrides(base, NO_OVERRIDES).tables), Buffer.from(base.tables)), 0)
})

t.test('the clients of a resolver are where its line says', async (t) => {
  t.equal(openPlaces(base).resolvers, undefined)
  const places = openPlaces(mergeOverrides(base, read('resolvers: { 192.0.2.53: BR, "2001:db8::/32": { country: DE, city: Bonn } }')))
  const at = (text: string): string | undefined => places.place(find(places.resolvers!, parseAddress(text)!) >>> 8).country
  t.equal(at('192.0.2.53'), 'BR')
  t.equal(at('2001:db8::1'), 'DE')
  t.equal(find(places.resolvers!, parseAddress('192.0.2.54')!) >>> 8, NOWHERE)
  t.equal(places.place(find(places, parseAddress('192.0.2.53')!) >>> 8).country, openPlaces(base).place(find(openPlaces(base), parseAddress('192.0.2.53')!) >>> 8).country, 'a client subnet of that address is where it was')
})

t.test('every fault of the file at once', async (t) => {
  const { overrides, faults } = readOverrides(
    'geodb/overrides.yaml',
    ['networks:', '  198.51.100.1/24: KR', '  198.51.100.0/24: korea', '  203.0.113.0/24: { contry: US }', '  203.0.112.0/24: { country: US, at: [91, 0] }', '  2001:db8::/32: { city: Bonn }', 'resolver: {}', 'resolvers: [BR]'].join('\n')
  )
  t.equal(overrides, undefined)
  t.same(faults.map(formatFault), [
    'geodb/overrides.yaml:2:3: 198.51.100.1/24: expected an address or a prefix without host bits, such as 198.51.100.0/24',
    'geodb/overrides.yaml:3:20: there is no country korea (codes are those of ISO 3166-1, such as KR)',
    'geodb/overrides.yaml:4:21: unknown key contry (did you mean country?)',
    'geodb/overrides.yaml:5:38: at: expected latitude and longitude in degrees, such as [37.5, 127.0]',
    'geodb/overrides.yaml:6:18: the place has neither a country nor coordinates',
    'geodb/overrides.yaml:7:1: unknown key resolver (did you mean resolvers?)',
    'geodb/overrides.yaml:8:12: resolvers: expected places by network ({ 198.51.100.0/24: KR, 203.0.113.0/24: { country: US, city: Seattle, at: [47.6, -122.3] } })'
  ])
  t.ok(parsePrefix('198.51.100.0/24'))
})
