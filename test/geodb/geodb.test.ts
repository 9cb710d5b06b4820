import { mkdir, mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open, Reader, type Response } from 'maxmind'
import t from 'tap'
import { formatAddress, ipv4Number, parseAddress } from '../../core/address.ts'
import { buildPlaces, CONTINENTS, COUNTRIES, describePlace, findDatabase, NOWHERE, openPlaces, type Place, type Places } from '../../geodb/index.ts'
import { writeMmdb, type WriteOptions } from './mmdb-writer.ts'

const folder = await mkdtemp(join(tmpdir(), 'geodb-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))

const bundled = findDatabase({ folder, setting: 'auto' })
if ('fault' in bundled) throw new Error(bundled.fault.reason)

function find(places: Places, text: string): { place: Place; number: number; length: number } {
  const { family, bytes } = parseAddress(text)!
  const value = family === 4 ? places.find4(ipv4Number(bytes)) : places.find6(bytes, 0)
  return { place: places.place(value >>> 8), number: value >>> 8, length: value & 0xff }
}

/** A generator that gives the same numbers in every run: a failure can be looked into. */
function randoms(seed: number): (below: number) => number {
  let x = seed
  return (below) => {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((x / 2 ** 32) * below)
  }
}

function randomAddress(family: 4 | 6, random: (below: number) => number): Uint8Array {
  const bytes = Uint8Array.from({ length: family === 4 ? 4 : 16 }, () => random(256))
  // Most of IPv6 is not assigned: nearly all of what is begins with one of these.
  if (family === 6) bytes.set([[0x20, 0x01], [0x24, random(16)], [0x26, random(16)], [0x28, random(16)], [0x2a, random(16)], [0x2c, 0x0f]][random(6)]!)
  if (family === 6 && random(2) === 0) bytes.fill(0, 4 + random(8))
  return bytes
}

function withRandomTail(bytes: Uint8Array, length: number, random: (below: number) => number): Uint8Array {
  return bytes.map((byte, at) => {
    const kept = Math.min(8, Math.max(0, length - at * 8))
    const mask = (0xff << (8 - kept)) & 0xff
    return (byte & mask) | (random(256) & ~mask)
  })
}

const flipped = (bytes: Uint8Array, bit: number): Uint8Array => bytes.map((byte, at) => (at === bit >>> 3 ? byte ^ (0x80 >>> (bit & 7)) : byte))

const SPECIAL: readonly [string, string, number][] = [
  ['127.0.0.1', '127.255.255.255', 8], ['10.0.0.0', '10.255.255.255', 8], ['172.16.0.0', '172.31.255.255', 12],
  ['192.168.0.0', '192.168.255.255', 16], ['169.254.0.0', '169.254.255.255', 16], ['100.64.0.0', '100.127.255.255', 10],
  ['::1', '::1', 128], ['fc00::', 'fdff:ffff::1', 7], ['fe80::', 'febf::1', 10]
]

t.test('the bundled country database', async (t) => {
  const image = await buildPlaces({ database: bundled.path, local: 'KR' })
  const places = openPlaces(image)
  const reader = await open<Response>(bundled.path)

  t.test('takes at most 80 MB and says what it is, how old, and whose', async (t) => {
    t.ok(image.tables.byteLength < 80e6, `${image.tables.byteLength} octets`)
    t.match(image.about, /^geo-whois-asn-country \d{4}-\d{2}-\d{2} \(.*NRO.*CC BY 4\.0\)$/)
  })

  t.test('knows where well-known networks are', async (t) => {
    for (const [address, country] of [['168.126.63.0', 'KR'], ['193.0.6.0', 'NL'], ['200.160.0.0', 'BR'], ['8.8.8.0', 'US'], ['2001:4860:4860::8888', 'US']] as const) {
      t.equal(find(places, address).place.country, country, address)
    }
    t.equal(describePlace(find(places, '168.126.63.0').place), 'South Korea (KR)')
  })

  t.test('gives every country in it a position and a continent', async (t) => {
    const bare = Array.from({ length: places.size }, (_, number) => places.place(number)).filter(({ country, continent, latitude }) => country !== undefined && (continent === undefined || latitude === undefined))
    t.same(bare, [])
    t.ok(places.size > 240)
  })

  for (const family of [4, 6] as const) {
    t.test(`agrees with the database itself for 20,000 random IPv${family} addresses`, async (t) => {
      const random = randoms(family)
      const wrong: string[] = []
      let known = 0
      for (let round = 0; round < 20_000; round++) {
        const text = formatAddress(randomAddress(family, random))
        const { place } = find(places, text)
        if (place.source.startsWith('special-use')) continue
        const { country_code: written } = (reader.get(text) ?? {}) as { country_code?: string }
        const expected = written === 'AN' ? 'CW' : written // withdrawn in 2010
        if (expected !== place.country) wrong.push(`${text}: ${place.country}, expected ${expected}`)
        if (expected !== undefined) known++
      }
      t.same(wrong, [])
      t.ok(known > (family === 4 ? 15_000 : 2000), `${known} of them known`)
    })

    t.test(`returns the widest IPv${family} prefix that shares a place`, async (t) => {
      const random = randoms(family + 10)
      const wrong: string[] = []
      const lookUp = (bytes: Uint8Array): number => (family === 4 ? places.find4(ipv4Number(bytes)) : places.find6(bytes, 0))
      for (let round = 0; round < 5000; round++) {
        const bytes = randomAddress(family, random)
        const value = lookUp(bytes)
        const length = value & 0xff
        const neighbours = [length, Math.max(length, family * 8 - 9), family === 4 ? 31 : 127].map((from) => withRandomTail(bytes, Math.max(from, length), random))
        for (const inside of neighbours) if (lookUp(inside) !== value) wrong.push(`${formatAddress(inside)} is not as ${formatAddress(bytes)}/${length}`)
        // The other half of the prefix that is one bit shorter is not all in the same place, or it would be one block.
        if (length > 0 && lookUp(flipped(bytes, length - 1)) === value) wrong.push(`${formatAddress(bytes)}/${length} is not the widest`)
      }
      t.same(wrong, [])
    })
  }

  t.test('has special-use networks where the operator says, to the bit', async (t) => {
    for (const [first, last, length] of SPECIAL) {
      for (const text of [first, last]) {
        const found = find(places, text)
        t.same([found.place.country, found.length], ['KR', length], text)
        t.match(found.place.source, /special-use network, geo\.local/)
      }
    }
    for (const outside of ['126.255.255.255', '128.0.0.0', '9.255.255.255', '11.0.0.0', '172.32.0.0', '172.15.255.255', '100.63.255.255', '100.128.0.0', '::2', '::', 'fec0::', 'fbff::']) {
      t.notMatch(find(places, outside).place.source, /special-use/, outside)
    }
  })

  t.test('says of what it does not know exactly how far that goes', async (t) => {
    const { number, place, length } = find(places, '192.0.2.1')
    t.same([number, length], [NOWHERE, 24])
    t.match(place.source, /^not in geo-whois-asn-country/)
    t.equal(find(places, '240.0.0.1').length, find(places, '255.255.255.255').length)
  })

  t.test('has IPv4-mapped and 6to4 addresses where their IPv4 address is', async (t) => {
    const plain = find(places, '168.126.63.1')
    for (const [text, lead] of [['::ffff:168.126.63.1', 96], ['2002:a87e:3f01::1', 16]] as const) {
      const { number, length } = find(places, text)
      t.same([number, length], [plain.number, plain.length + lead], text)
    }
    t.equal(find(places, '::168.126.63.1').number, NOWHERE)
  })
})

async function built(networks: Iterable<readonly [string, unknown]>, options: WriteOptions, name = 'test.mmdb'): Promise<Places> {
  const database = join(folder, name)
  await writeFile(database, writeMmdb(networks, options))
  return openPlaces(await buildPlaces({ database, local: 'KR' }))
}

t.test('records of every shape and size', async (t) => {
  const nested = {
    city: { names: { en: 'Seongnam-si', ko: '성남시' } }, continent: { code: 'AS' }, country: { iso_code: 'KR' },
    location: { latitude: 37.43, longitude: 127.13 }, subdivisions: [{ iso_code: '41' }]
  }
  const flat = { country_code: 'US', state1: 'Virginia', state2: '', city: 'Ashburn', postcode: '', latitude: '39.04', longitude: '-77.48' }
  const networks = [
    ['192.0.2.0/24', nested], ['192.0.2.128/25', flat], ['198.51.100.0/24', { continent: { code: 'EU' } }], ['203.0.113.0/24', { registered_country: { iso_code: 'FR' } }],
    ['203.0.113.64/26', { country: 'DE' }], ['198.51.100.7/32', { country_code: '' }], ['2001:db8::/32', flat], ['2001:db8:1::/48', nested]
  ] as const
  for (const recordSize of [24, 28, 32] as const) {
    const places = await built(networks, { ipVersion: 6, recordSize })
    const at = (text: string): Partial<Place> => {
      const { source, ...place } = find(places, text).place
      t.ok(source)
      return place
    }
    const seongnam = { country: 'KR', continent: 'AS', subdivision: '41', city: 'Seongnam-si', latitude: 37.43, longitude: 127.13 }
    const ashburn = { country: 'US', continent: 'NA', subdivision: 'Virginia', city: 'Ashburn', latitude: 39.04, longitude: -77.48 }
    t.same(at('192.0.2.127'), seongnam, `${recordSize} bits`)
    t.same(at('192.0.2.128'), ashburn)
    t.same(at('198.51.100.1'), { continent: 'EU' })
    t.same(at('198.51.100.7'), {})
    t.same(at('203.0.113.1'), { country: 'FR', continent: 'EU', latitude: COUNTRIES['FR']![0], longitude: COUNTRIES['FR']![1] })
    t.same(at('203.0.113.65').country, 'DE')
    t.same(at('2001:db8::1'), ashburn)
    t.same(at('2001:db8:1::1'), seongnam)
    t.same([find(places, '2001:db8::1').length, find(places, '2001:db8:1::1').length, find(places, '198.51.100.7').length], [48, 48, 32])
    t.equal(describePlace(find(places, '192.0.2.1').place), 'Seongnam-si, South Korea (KR)')
    t.equal(describePlace(find(places, '198.51.100.1').place), 'Europe (EU)')
  }
})

t.test('neighbours that differ in nothing a place has are one block', async (t) => {
  const in1 = (postcode: string): object => ({ country_code: 'SE', postcode })
  const places = await built([['192.0.0.0/24', in1('1')], ['192.0.1.0/24', in1('2')], ['192.0.2.0/24', in1('3')], ['2001:db8::/33', in1('1')], ['2001:db8:8000::/33', in1('2')]], { ipVersion: 6 })
  t.same(['192.0.0.1', '192.0.1.1', '192.0.2.1', '192.0.3.1', '2001:db8::1', '2001:db8:ffff::1'].map((text) => find(places, text).length), [23, 23, 24, 24, 32, 32])
})

t.test('a database of one family says nothing of the other', async (t) => {
  const us = { country_code: 'US' }
  const v4 = await built([['0.0.0.0/1', us], ['128.0.0.0/1', us]], { ipVersion: 4 })
  // The reader itself finds an answer here, for the tree has no place for the rest of the address.
  t.same(new Reader<Response>(writeMmdb([['0.0.0.0/1', us], ['128.0.0.0/1', us]], { ipVersion: 4 })).get('2001:db8::1'), us)
  t.equal(find(v4, '2001:db8::1').number, NOWHERE)
  t.equal(find(v4, '192.0.2.1').place.country, 'US')
  t.equal(find(v4, '::1').place.country, 'KR')
  const v6 = await built([['2000::/3', us]], { ipVersion: 6 })
  t.equal(find(v6, '192.0.2.1').number, NOWHERE)
  t.same([find(v6, '2001:db8::1').place.country, find(v6, '2001:db8::1').length], ['US', 3])
})

t.test('of a pair, each says where the addresses of its own family are', async (t) => {
  const us = { country_code: 'US', city: 'Ashburn' }
  await writeFile(join(folder, 'pair-ipv4.mmdb'), writeMmdb([['192.0.2.0/24', us], ['198.51.100.0/24', { country_code: 'JP' }]], { ipVersion: 4 }))
  await writeFile(join(folder, 'pair-ipv6.mmdb'), writeMmdb([['2001:db8::/32', { country_code: 'FR' }], ['2001:db8:1::/48', us]], { ipVersion: 6 }))
  for (const family of [4, 6]) {
    const image = await buildPlaces({ database: join(folder, `pair-ipv${family}.mmdb`), local: 'KR', cacheFolder: join(folder, 'pair') })
    const places = openPlaces(image)
    t.same(['192.0.2.1', '198.51.100.1', '2001:db8::1', '2001:db8:1::1', '::1', '127.0.0.1'].map((text) => find(places, text).place.country), ['US', 'JP', 'FR', 'US', 'KR', 'KR'])
    t.same([find(places, '203.0.113.1').number, find(places, '2002::1').number, find(places, '2001:db9::1').number], [NOWHERE, NOWHERE, NOWHERE])
    t.match(image.about, /pair-ipv4.*pair-ipv6/)
  }
})

t.test('IPv4 that hangs in the tree a second time is not taken for IPv6', async (t) => {
  const places = await built([['192.0.2.0/24', { country_code: 'JP' }], ['2001:db8::/32', { country_code: 'FR' }]], { ipVersion: 6, aliases: ['::ffff:0:0/96', '2002::/16', '2001::/32'] })
  t.same([find(places, '::ffff:192.0.2.9').place.country, find(places, '::ffff:192.0.2.9').length], ['JP', 120])
  t.same([find(places, '2002:c000:209::').place.country, find(places, '2002:c000:209::').length], ['JP', 40])
  t.equal(find(places, '2001:0:c000:209::').number, NOWHERE)
  t.equal(find(places, '::192.0.2.9').number, NOWHERE)
  t.equal(find(places, '2001:db8::9').place.country, 'FR')
})

t.test('files that are no such database are refused with a reason', async (t) => {
  const good = writeMmdb([['192.0.2.0/24', { country_code: 'JP' }], ['2001:db8::/32', { country_code: 'FR' }]], { ipVersion: 6 })
  const looping = Buffer.from(good)
  looping.fill(0, 0, 6 * 90) // every record leads to the first node
  const cases: [string, Buffer, RegExp][] = [
    ['text.mmdb', Buffer.from('hello'), /text\.mmdb:1:1: is not a MaxMind-format database that can be used/],
    ['empty.mmdb', Buffer.alloc(0), /is not a MaxMind-format database/],
    ['cut.mmdb', good.subarray(good.length - 300), /is not a MaxMind-format database/],
    ['looping.mmdb', looping, /the search tree does not end/],
    ['stub.mmdb', writeMmdb([], { ipVersion: 6 }), /has neither countries nor coordinates/],
    ['asn.mmdb', writeMmdb([['192.0.2.0/24', { autonomous_system_number: 64_496 }]], { ipVersion: 6 }), /asn\.mmdb:1:1: has neither countries nor coordinates/]
  ]
  for (const [name, bytes, reason] of cases) {
    await writeFile(join(folder, name), bytes)
    await t.rejects(buildPlaces({ database: join(folder, name), local: 'KR' }), { message: reason }, name)
  }
  await t.rejects(buildPlaces({ database: bundled.path, local: 'XX' }), { message: /geo\.local: there is no country XX/ })
  await t.rejects(buildPlaces({ database: join(folder, 'nothing.mmdb'), local: 'KR', cacheFolder: join(folder, 'none') }), { message: /nothing\.mmdb:1:1: cannot be read/ })
})

t.test('tables are kept on disk for the next start', async (t) => {
  const cacheFolder = join(folder, 'kept')
  const database = join(folder, 'kept.mmdb')
  // Large enough for its tree to begin outside the tail that names a set of tables.
  const many = Array.from({ length: 4000 }, (_, number): [string, unknown] => [`${11 + (number >>> 8)}.${number & 255}.77.9/32`, { country_code: 'SE' }])
  const write = async (bytes: Buffer, at = 1_750_000_000): Promise<void> => {
    await writeFile(database, bytes)
    await utimes(database, at, at)
  }
  const bytes = writeMmdb([...many, ['192.0.2.0/24', { country_code: 'JP' }]], { ipVersion: 6 })
  await write(bytes)
  const country = async (local = 'KR'): Promise<(string | undefined)[]> => {
    const image = await buildPlaces({ database, local, cacheFolder })
    t.match(image.about, /^kept 2026-05-28 /)
    const places = openPlaces(image)
    return [find(places, '192.0.2.1').place.country, find(places, '127.0.0.1').place.country]
  }
  const kept = async (): Promise<string[]> => readdir(cacheFolder)
  t.same(await country(), ['JP', 'KR'])
  const [first] = await kept()

  // With the tree broken but size, time and tail the same, only kept tables can give the answer.
  await write(Buffer.concat([Buffer.alloc(6 * 90), bytes.subarray(6 * 90)]))
  t.same(await country(), ['JP', 'KR'])
  t.same(await kept(), [first])
  await t.rejects(buildPlaces({ database, local: 'KR' }), { message: /does not end/ })
  await write(bytes)

  t.test('and not trusted when they are altered or cut off', async (t) => {
    const path = join(cacheFolder, first!)
    const whole = await readFile(path)
    const altered = Buffer.from(whole)
    altered[altered.length - 60]! ^= 1
    await writeFile(path, altered)
    t.same(await country(), ['JP', 'KR'])
    t.same(await readFile(path), whole, 'written again')
    await truncate(path, 1000)
    t.same(await country(), ['JP', 'KR'])
    await truncate(path, 0)
    t.same(await country(), ['JP', 'KR'])
  })

  t.test('one set of them, for what they were made from', async (t) => {
    t.same(await country('FR'), ['JP', 'FR'])
    const [french] = await kept()
    t.not(french, first)
    t.equal((await kept()).length, 1)
    await write(bytes, 1_750_000_001)
    await writeFile(join(cacheFolder, `${french}.77.new`), 'left by one that was killed')
    await country('FR')
    t.notSame(await kept(), [french])
    t.equal((await kept()).length, 1)
    await write(writeMmdb([['192.0.2.0/24', { country_code: 'CN' }]], { ipVersion: 6 }))
    t.same(await country('FR'), ['CN', 'FR'])
    t.equal((await kept()).length, 1)
  })

  t.test('and served from memory alone where nothing can be written', async (t) => {
    const file = join(folder, 'a-file')
    await writeFile(file, '')
    t.ok(await buildPlaces({ database, local: 'KR', cacheFolder: join(file, 'under') }))
  })
})

t.test('which database', async (t) => {
  const dropped = join(folder, 'dropped')
  await mkdir(dropped)
  const pick = (setting = 'auto'): string => {
    const found = findDatabase({ folder: dropped, setting })
    return 'fault' in found ? `${found.fault.reason} (${found.fault.hint})` : `${found.path.slice(found.path.lastIndexOf('/') + 1)}, ${found.about}`
  }
  t.equal(pick(), 'geo-whois-asn-country.mmdb, bundled')
  await writeFile(join(dropped, 'GeoLite2-Country.mmdb'), '')
  t.equal(pick(), 'GeoLite2-Country.mmdb, found as geodb/GeoLite2-Country.mmdb')
  await writeFile(join(dropped, 'GeoLite2-City.mmdb'), '')
  t.equal(pick(), 'GeoLite2-City.mmdb, found as geodb/GeoLite2-City.mmdb')
  await writeFile(join(dropped, 'dbip-city.mmdb'), '')
  t.equal(pick('dbip-city.mmdb'), 'dbip-city.mmdb, named by geo.database')
  t.equal(pick(join(dropped, 'dbip-city.mmdb')), 'dbip-city.mmdb, named by geo.database')
  t.equal(pick(join(dropped, 'dbip-cty.mmdb')), 'geo.database: there is no such file (did you mean dbip-city.mmdb?)')
})

t.test('the table of countries', async (t) => {
  const rows = Object.entries(COUNTRIES)
  t.equal(rows.length, 250)
  for (const [code, [latitude, longitude, continent]] of rows) {
    if (!/^[A-Z]{2}$/.test(code) || Math.abs(latitude) > 90 || Math.abs(longitude) > 180 || CONTINENTS[continent] === undefined) t.fail(`${code} is out of bounds`)
  }
  const names = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' })
  // Codes that the runtime has names for and ISO 3166-1 does not assign: withdrawn, reserved or for private use.
  const others = new Set('AC AN BU CP CQ CS DD DG DY EA EU EZ FX HV IC NH NT PC PU PZ QO QU RH SU TA TP UK UN VD WK XA XB YD YU ZR ZZ JT MI CT FQ NQ'.split(' '))
  const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ']
  const missing = letters.flatMap((a) => letters.map((b) => a + b)).filter((code) => names.of(code) !== undefined && !others.has(code) && COUNTRIES[code] === undefined)
  t.same(missing, [])
  // Each continent's box, roughly: a sign or a pair of numbers the wrong way round would show.
  const boxes: Record<string, [number, number, number, number]> = { AF: [-35, 37.5, -26, 58], AS: [-13, 56, 25, 142], EU: [34, 79, -25, 50], NA: [7, 65, -100, -51], SA: [-56, 13, -82, -34], OC: [-48, 21, 0, 0], AN: [-90, -45, -180, 180] }
  for (const [code, [latitude, longitude, continent]] of rows) {
    const [south, north, west, east] = boxes[continent]!
    const isOceanic = continent === 'OC' && (longitude > 105 || longitude < -120)
    if (latitude < south || latitude > north || (!isOceanic && (longitude < west || longitude > east))) t.fail(`${code} is not in ${continent}: ${latitude}, ${longitude}`)
  }
})
