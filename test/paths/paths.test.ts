import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { formatAddress, maskBytes, parseAddress } from '../../core/address.ts'
import { systemAfter, systemClock } from '../../core/clock.ts'
import { digestOf, type DigestRow } from '../../daemon/paths/digest.ts'
import { makeListing } from '../../daemon/paths/listing.ts'
import { readPaths } from '../../daemon/paths/read.ts'
import { entriesOf, MOST_ROWS, readDigests, rowsIn } from '../../daemon/paths/rows.ts'
import { findRoute, makeTableBuilder, prefixText, type PathTables } from '../../daemon/paths/table.ts'
import { buildNetworks, openNetworks } from '../../geodb/index.ts'
import { listenAsBird, routeText } from './bird.ts'

const LISTING = `${routeText('192.0.2.0/24', '64500 64501', 'master4')}${routeText('198.51.100.0/24', '64500 64500 64500 64502')}${routeText('203.0.113.0/24', '64500 {64502 64503}')}${routeText('100.64.0.0/10', '(65001 65002) 64500 64501')}1007-10.0.0.0/8           blackhole [static4 2026-11-21] * (200)
1008-	Type: static univ
${routeText('0.0.0.0/0', '64500')}${routeText('198.18.0.0/15', '')}${routeText('2001:db8::/32', '64500 64501 4200000000', 'master6')}${routeText('2001:db8:0:1::/64', '64501')}${routeText('::ffff:0:0/96', '64500 64500')}0000 \n`

/** The table of a listing that comes in so many octets at a time. */
function tableOf(listing: string, piece = 1 << 20): PathTables {
  const builder = makeTableBuilder()
  const reader = makeListing((route) => builder.add(route))
  const octets = Buffer.from(listing)
  let said: string | undefined
  for (let at = 0; at < octets.length; at += piece) said = reader.take(octets.subarray(at, at + piece)) ?? said
  if (said === undefined || !said.startsWith('0000')) throw new Error('the listing has no end')
  return builder.finish()
}

const route = (tables: PathTables, address: string): string => {
  const found = findRoute(tables, parseAddress(address)!)
  return found === undefined ? 'none' : `${prefixText(found.prefix)} ${found.path} ${found.hops} ${found.origin ?? '-'}`
}

t.test('a listing is read alike in pieces of any size: prepends, sets and confederations as BGP counts them', async (t) => {
  for (const piece of [1, 2, 7, 64, 1 << 20]) {
    const tables = tableOf(LISTING, piece)
    t.equal(route(tables, '192.0.2.1'), '192.0.2.0/24 2 2 64501', `in pieces of ${piece}`)
    t.equal(route(tables, '198.51.100.9'), '198.51.100.0/24 4 2 64502', 'prepends count once among the distinct')
    t.equal(route(tables, '203.0.113.9'), '203.0.113.0/24 2 2 -', 'a set counts one, and is nobody in particular')
    t.equal(route(tables, '100.65.0.1'), '100.64.0.0/10 2 2 64501', 'a confederation counts nothing')
    t.equal(route(tables, '198.19.0.1'), '198.18.0.0/15 0 0 -', 'an empty path is this AS')
    t.equal(route(tables, '10.1.1.1'), 'none', 'a route without a path, and the default route, tell nothing')
    t.equal(route(tables, '2001:db8:0:1::7'), '2001:db8:0:1::/64 1 1 64501')
    t.equal(route(tables, '2001:db8:1::7'), '2001:db8::/32 3 3 4200000000')
    t.equal(route(tables, '::ffff:1.2.3.4'), '::ffff:0:0/96 2 1 64500')
    t.equal(route(tables, '2001:db9::'), 'none')
  }
})

t.test('whatever comes in is no reason to fall over', async (t) => {
  fc.assert(fc.property(fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('1007-', ' ', '\n', '1.2.3.4/24 ', ':::/', '\tBGP.as_path: ', '(', '{', '99999999999999999999', '1007-300.1.1.1/8 x\n', '+')), { maxLength: 30 }), (parts) => {
    const builder = makeTableBuilder()
    const reader = makeListing((found) => builder.add(found))
    for (const part of parts) reader.take(Buffer.from(part))
    builder.finish()
  }))
  const builder = makeTableBuilder()
  const reader = makeListing((found) => builder.add(found))
  for (let index = 0; index < 40; index++) reader.take(Buffer.alloc(10_000, 'x'))
  t.equal(reader.take(Buffer.from(`\n${routeText('192.0.2.0/24', '64500')}0000 \n`)), '0000', 'a line without end is passed over')
  t.equal(route(builder.finish(), '192.0.2.1'), '192.0.2.0/24 1 1 64500')
})

const prefixes4 = fc.array(fc.record({ address: fc.nat({ max: 0xffff }).map((low) => Buffer.from([10, 0, low >> 8, low & 0xff])), length: fc.integer({ min: 9, max: 32 }), path: fc.integer({ min: 0, max: 9 }) }), { minLength: 1, maxLength: 60 })

t.test('the longest prefix is found; a digest keeps to its size, and says the same where it need not leave anything out', async () => {
  fc.assert(fc.property(prefixes4, fc.integer({ min: 1, max: 80 }), (list, most) => {
    const routes = new Map<string, { bytes: Uint8Array; length: number; path: number }>()
    for (const { address, length, path } of list) {
      const bytes = maskBytes(address, length)
      const key = `${formatAddress(bytes)}/${length}`
      if ((routes.get(key)?.path ?? Infinity) > path) routes.set(key, { bytes, length, path })
    }
    const tables = tableOf(`${list.map(({ address, length, path }) => routeText(`${formatAddress(maskBytes(address, length))}/${length}`, Array.from({ length: path }, (_, hop) => 64500 + hop).join(' '))).join('')}0000 \n`)
    const rows = digestOf(tables.v4, most)
    if (rows.length > most) throw new Error(`${rows.length} rows`)
    const isWhole = digestOf(tables.v4, 1000)
    for (const { address } of list) {
      const holds = (prefix: { bytes: Uint8Array; length: number }): boolean => Buffer.compare(maskBytes(address, prefix.length), prefix.bytes) === 0
      const best = [...routes.values()].filter(holds).sort((a, b) => b.length - a.length)[0]!
      const found = findRoute(tables, { family: 4, bytes: Uint8Array.from(address) })!
      if (found.prefix.length !== best.length || found.path !== best.path) throw new Error(`${formatAddress(address)}: ${found.path} by ${prefixText(found.prefix)}`)
      const row = isWhole.filter(({ prefix }) => holds(prefix)).sort((a, b) => b.prefix.length - a.prefix.length)[0]
      if (row?.path !== best.path) throw new Error(`${formatAddress(address)}: the digest has ${row?.path}, the table ${best.path}`)
    }
    const again = [...entriesOf(rows).values()].flatMap(rowsIn)
    const text = ({ prefix, path }: DigestRow): string => `${prefixText(prefix)} ${path}`
    if (rows.map(text).sort().join() !== again.map(text).sort().join()) throw new Error('rows do not come back from their entries')
  }))
})

t.test('what other PoPs say is believed in bounds', async (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (value) => {
    for (const { prefix } of rowsIn(value)) if (prefix.length === 0 || prefix.length > prefix.bytes.length * 8 || Buffer.compare(maskBytes(prefix.bytes, prefix.length), prefix.bytes) !== 0) throw new Error(prefixText(prefix))
  }))
  const value = Uint8Array.from([4, ...Array.from({ length: 66 }, (_, row) => [32, 1, 10, 0, 0, row]).flat()])
  t.equal(readDigests([{ edges: ['icn'], values: Array.from({ length: 1000 }, () => value) }]).length, MOST_ROWS)
})

t.test('digests of several PoPs become the ways to their edges, by the longest prefix that each of them has', async (t) => {
  const digest = (prefix: string, path: string): Uint8Array[] => [...entriesOf(digestOf(tableOf(`${routeText(prefix, path)}0000 \n`).v4, 100)).values()]
  const rows = readDigests([{ edges: ['icn', 'nrt'], values: digest('192.0.0.0/16', '64500 64501') }, { edges: ['fra'], values: digest('192.0.2.0/24', '64500') }])
  const networks = openNetworks(buildNetworks({ named: [], paths: rows })!)
  const paths = (address: string): unknown => networks.network(networks.find4(parseAddress(address)!.bytes.reduce((sum, octet) => sum * 256 + octet, 0)) >>> 8).paths
  t.same(paths('192.0.2.1'), { icn: 2, nrt: 2, fra: 1 })
  t.same(paths('192.0.3.1'), { icn: 2, nrt: 2 })
  t.equal(networks.hasPaths, true)
})

t.test('BIRD is read over its socket; what is wrong there is one line', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-paths-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const socket = join(folder, 'bird.ctl')
  const read = (of: readonly string[]) => readPaths({ socket, of, patienceMs: 30_000, clock: systemClock, after: systemAfter })
  await t.rejects(read(['table master4']), { message: `there is no ${socket}: BIRD does not run, or paths.socket is another` })
  const asked: string[] = []
  const server = await listenAsBird(socket, (command) => {
    asked.push(command)
    if (command === 'restrict') return ['0016 Access restricted\n']
    return command.endsWith('table nowhere') ? ['9001 syntax error, unexpected CF_SYM_UNDEFINED\n'] : [LISTING]
  })
  t.teardown(() => server.close())
  const { tables, v4, v6, left } = await read(['table master4'])
  t.same([v4, v6, left], [5, 3, 0])
  t.equal(route(tables, '198.51.100.9'), '198.51.100.0/24 4 2 64502')
  t.same(asked, ['restrict', 'show route primary all table master4'], 'from the first command on nothing can be changed')
  await t.rejects(read(['table nowhere']), { message: 'BIRD refuses "show route primary all table nowhere": 9001 syntax error, unexpected CF_SYM_UNDEFINED' })
  server.close()
})
