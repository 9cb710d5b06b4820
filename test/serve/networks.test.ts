import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ipv4Number, parseAddress } from '../../core/address.ts'
import { systemClock } from '../../core/clock.ts'
import { configSchema } from '../../core/config.ts'
import { makeLogger } from '../../core/log.ts'
import { makeAnswerer } from '../../daemon/answer.ts'
import { worldOfThen } from '../../daemon/control/explain-past.ts'
import { Loader } from '../../daemon/control/index.ts'
import { openWorld, type World } from '../../daemon/world.ts'
import { healthWord, makeHealthTable, setHealth } from '../../healthchecks/index.ts'
import { replyLines, writeQuery } from '../answer/packets.ts'
import { writeMmdb } from '../geodb/mmdb-writer.ts'

// Lists of networks in a loader thread of their own: read, changed, broken and read again at the next start.

const LONG = { timeout: 500_000 }

interface Bench {
  readonly loader: Loader
  /** Waits until a world is in service of which this is true. */
  until(what: string, isSo: (world: World) => boolean): Promise<World>
}

async function startLoader(t: Test, root: string, more: object = {}, health = makeHealthTable(8)): Promise<Bench> {
  const config = configSchema.parse({ geo: { asn: join(root, 'as.mmdb') }, ...more })
  let current: World | undefined
  const loader = new Loader({
    setup: { config, zonesFolder: join(root, 'zones'), zonesLabel: 'zones/', stateFolder: join(root, 'state') },
    health, clock: systemClock, log: makeLogger('test', { readable: false, level: 'silent' }), places: 'for policies',
    use: (image) => {
      current = openWorld(image, current)
      return Promise.resolve()
    }
  })
  t.teardown(() => loader.close())
  await loader.first
  const until: Bench['until'] = async (what, isSo) => {
    for (let waited = 0; waited < 90_000; waited += 50) {
      if (current !== undefined && isSo(current)) return current
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`still not so: ${what}; ${loader.status().reload.faults.join('; ')}`)
  }
  return { loader, until }
}

/** Who answers an address by the policy `web`. */
function answerTo({ routing, networks, health, targets }: World, text: string): string {
  const policy = routing.find('web')
  if (policy === undefined) return 'no policy'
  const found = networks?.find4(ipv4Number(parseAddress(text)!.bytes)) ?? 0
  const { alternatives } = routing.choose(policy, routing.classOf(policy, 0, found >>> 8, found >>> 8), health, 4)
  return alternatives.flatMap((each) => each.targets.map((target) => targets[target]!.name)).join()
}

/** As an editor saves: whole or not at all. */
function write(path: string, content: string | Buffer): void {
  writeFileSync(`${path}.new`, content)
  renameSync(`${path}.new`, path)
}

t.test('lists are followed with the policies that go by them, and a broken one leaves what was', LONG, async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'nearcast-networks-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  mkdirSync(join(root, 'zones/networks'), { recursive: true })
  const list = join(root, 'zones/networks/office.txt')
  write(list, '192.0.2.0/25\n')
  write(join(root, 'zones/policies.yaml'), 'policies:\n  web: { view: { office: 10.0.0.1, default: 10.0.0.9 } }\nnetworks: { office: { file: networks/office.txt } }\n')
  const { loader, until } = await startLoader(t, root)
  await until('the list counts', (world) => answerTo(world, '192.0.2.1') === '10.0.0.1' && answerTo(world, '192.0.2.200') === '10.0.0.9')

  write(list, '192.0.2.128/25\n')
  await until('the list as it is now', (world) => answerTo(world, '192.0.2.1') === '10.0.0.9' && answerTo(world, '192.0.2.200') === '10.0.0.1')

  write(list, '192.0.2.1/25\n')
  await until('the fault is told', () => loader.status().reload.faults.some((line) => line.includes('networks/office.txt:1:1: 192.0.2.1/25: has bits set behind its length')))
  await until('what was before', (world) => answerTo(world, '192.0.2.200') === '10.0.0.1')
  await loader.close()

  const again = await startLoader(t, root)
  await again.until('a start with a broken list goes by the last good one', (world) => answerTo(world, '192.0.2.200') === '10.0.0.1')
  write(list, '192.0.2.0/24\n')
  await again.until('and takes it once it is mended', (world) => answerTo(world, '192.0.2.1') === '10.0.0.1' && again.loader.status().reload.faults.length === 0)
})

t.test('autonomous systems count once a database knows them', LONG, async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'nearcast-networks-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  mkdirSync(join(root, 'zones'))
  write(join(root, 'zones/policies.yaml'), 'policies:\n  web: { network: { as-64500: 10.0.0.1, carriers: 10.0.0.2, default: 10.0.0.9 } }\nnetworks: { carriers: { as: [64501, AS64500] } }\n')
  const { loader, until } = await startLoader(t, root)
  await until('the fault is told', () => loader.status().reload.faults.some((line) => line.includes('as-64500: no database says which networks are whose')))
  write(join(root, 'as.mmdb'), writeMmdb([['198.51.100.0/24', { autonomous_system_number: 64500 }], ['203.0.113.0/24', { autonomous_system_number: 64501 }], ['192.0.2.0/24', { autonomous_system_number: 64502 }]], { ipVersion: 6 }))
  await until('all three', (world) => ['198.51.100.7', '203.0.113.7', '192.0.2.7'].map((from) => answerTo(world, from)).join() === '10.0.0.1,10.0.0.2,10.0.0.9')
})

t.test('the policies of the last day are kept, with the lists that they went by', LONG, async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'nearcast-past-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  mkdirSync(join(root, 'zones/networks'), { recursive: true })
  const [list, policies] = [join(root, 'zones/networks/office.txt'), join(root, 'zones/policies.yaml')]
  write(list, '192.0.2.0/25\n')
  write(policies, 'policies:\n  web: { view: { office: 10.0.0.1, default: 10.0.0.9 } }\nnetworks: { office: { file: networks/office.txt } }\n')
  const { loader, until } = await startLoader(t, root)
  const live = await until('the first', (world) => answerTo(world, '192.0.2.1') === '10.0.0.1')
  const kept = async (from: Loader, at: number): Promise<string> => {
    const found = await from.policiesAt(at)
    return found.kind === 'other' ? answerTo(worldOfThen(live, found), '192.0.2.1') : found.kind === 'same' ? 'as now' : found.reason
  }
  /** They are kept behind what is put in service. */
  const untilKept = async (from: Loader): Promise<number> => {
    for (;;) {
      const now = systemClock.now()
      const found = await from.policiesAt(now)
      if (found.kind === 'same' && found.since > last) return (last = now)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  let last = systemClock.now() - 1e6
  const first = await untilKept(loader)
  write(list, '192.0.2.128/25\n')
  await until('another list', (world) => answerTo(world, '192.0.2.1') === '10.0.0.9')
  const second = await untilKept(loader)
  write(policies, 'policies:\n  web: 10.0.0.77\n')
  await until('other policies', (world) => answerTo(world, '192.0.2.1') === '10.0.0.77')
  const third = await untilKept(loader)
  for (const turn of [0, 1]) {
    if (turn === 1) await loader.close()
    const from = turn === 0 ? loader : (await startLoader(t, root)).loader
    t.equal(await kept(from, first), '10.0.0.1', 'the list of then')
    t.equal(await kept(from, second), '10.0.0.9')
    t.equal(await kept(from, third), 'as now', 'over a restart too')
    t.match(await kept(from, first - 1e6), /^policies are kept since 2/)
  }
})

t.test('TTLs are cut while anything in question is suspect, and never below the floor', LONG, async (t) => {
  const edges = { icn: { address: '192.0.2.1', city: 'Seoul', at: [37.46, 126.44] }, fra: { address: '192.0.2.2', city: 'Frankfurt', at: [50, 8.5] } }
  for (const [checks, ttls] of [[{}, 'a 5, b 2'], [{ 'suspect-ttl': 0 }, 'a 1, b 1'], [{ 'suspect-ttl': 0, 'least-ttl': 0 }, 'a 0, b 0'], [{ 'suspect-ttl': 3, 'least-ttl': 7 }, 'a 7, b 2'], [{ 'suspect-ttl': 60 }, 'a 20, b 2']] as const) {
    const root = mkdtempSync(join(tmpdir(), 'nearcast-floor-'))
    t.teardown(() => rmSync(root, { recursive: true, force: true }))
    mkdirSync(join(root, 'zones'))
    write(join(root, 'zones/policies.yaml'), 'policies:\n  web: { failover: [icn, fra] }\n')
    write(join(root, 'zones/t.test.zone'), '@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.53\na 20 ROUTE web\nb 2 ROUTE web\n')
    const health = makeHealthTable(8)
    for (const word of [0, 1]) setHealth(health, word, healthWord('UP', 'none', false))
    const { until } = await startLoader(t, root, { edges, checks }, health)
    const world = await until('the policy', (now) => now.routing.find('web') !== undefined)
    const answerer = makeAnswerer({ world })
    const out = new Uint8Array(1232)
    const told = (): string => ['a', 'b'].map((name) => {
      const { bytes, source } = writeQuery(['A', `${name}.t.test.`])
      const [, answer = ''] = replyLines(out.subarray(0, answerer.answer(bytes, 0, bytes.length, source, 'udp', out, 0, out.length)))
      return `${name} ${answer.split(' ')[2]}`
    }).join(', ')
    t.equal(told(), 'a 20, b 2', 'the operator\'s')
    setHealth(health, 0, healthWord('UP', 'none', true))
    t.equal(told(), ttls, `suspect, ${JSON.stringify(checks)}`)
    setHealth(health, 0, healthWord('DOWN', 'none', false))
    t.equal(told(), ttls, 'down')
    setHealth(health, 0, healthWord('UP', 'none', false))
    setHealth(health, 1, healthWord('UP', 'none', true))
    t.equal(told(), 'a 20, b 2', 'one that is not in question')
  }
})
