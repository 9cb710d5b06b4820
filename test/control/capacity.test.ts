import t from 'tap'
import type { Member } from '../../core/channel.ts'
import { startCapacity, type Capacity } from '../../daemon/control/capacity.ts'
import { makeAnswerer } from '../../daemon/answer.ts'
import { healthWord, limitOf, setHealth, type TargetReport } from '../../healthchecks/index.ts'
import { writeQuery } from '../answer/packets.ts'
import { worldOf } from '../answer/stage.ts'
import { makeManualClock } from '../helpers/manual-clock.ts'

// From what the supervisor tells of requests, or edges of their load, to the answers: viewers resolve through the real answering
// code, go by each answer for its TTL, and their requests are what is told next.

const TTL = 20
const ADDRESSES: Readonly<Record<string, number>> = { icn: 1, nrt: 2, fra: 3 }
const stage = (policy: string): ReturnType<typeof worldOf> => worldOf({
  zones: [{ name: 'shop.test', text: `$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 604800 60\n@ NS ns1\nns1 A 127.0.0.1\nwww ${TTL} ROUTE near\n` }],
  policies: `policies: { near: ${policy} }\n`, edges: Object.entries(ADDRESSES).map(([name, last]) => [name, `127.0.10.${last}`]), places: []
})

interface Play {
  readonly loads: Record<string, number>
  readonly capacity: Capacity
  readonly world: ReturnType<typeof worldOf>
  /** Plays so many seconds with so many requests a second; the greatest load of each edge meanwhile. */
  play(seconds: number, requests: number): Promise<Record<string, number>>
}

/** @param metrics what an edge says of its own load instead, by what it has to serve */
function makePlay(policy: string, capacities: Readonly<Record<string, number>>, metrics?: (name: string, requests: number) => { load: number; capacity: number } | undefined): Play {
  const world = stage(policy)
  const answerer = makeAnswerer({ world })
  const out = new Uint8Array(512)
  const { clock, after, turn } = makeManualClock()
  let loads: Record<string, number> = { icn: 0, nrt: 0, fra: 0 }
  const capacity = startCapacity({
    table: world.health, edges: Object.keys(ADDRESSES).map((name, word) => ({ name, word, capacity: capacities[name]! })), clock, after, rampMs: 10_000,
    members: () => Object.entries(loads).map(([name, requestsPerSecond]): Member => ({ name, role: 'edge', state: 'running', since: 0, why: '', restarts: 0, requestsPerSecond })),
    report: (name) => metrics?.(name, loads[name]!) as TargetReport | undefined,
    wordOf: (name) => Object.keys(ADDRESSES).indexOf(name), routedTtl: () => TTL
  })
  const ask = (): number => {
    const { bytes, source } = writeQuery(['A', 'www.shop.test'])
    const size = answerer.answer(bytes, 0, bytes.length, source, 'udp', out, 0, out.length)
    return out[size - 1]!
  }
  const viewers = Array.from({ length: 2000 }, () => ({ goesTo: ask(), until: 0 }))
  return {
    get loads() {
      return loads
    },
    capacity, world,
    play: async (seconds, requests) => {
      const most: Record<string, number> = { icn: 0, nrt: 0, fra: 0 }
      for (let second = 0; second < seconds; second++) {
        const now = clock.elapsed()
        const counts: Record<string, number> = { icn: 0, nrt: 0, fra: 0 }
        for (const [index, viewer] of viewers.entries()) {
          if (viewer.until <= now) Object.assign(viewer, { goesTo: ask(), until: viewer.until === 0 ? now + ((index % TTL) + 1) * 1000 : now + TTL * 1000 })
          const name = Object.keys(ADDRESSES).find((each) => ADDRESSES[each] === viewer.goesTo)!
          counts[name]! += requests / viewers.length
        }
        loads = counts
        for (const name of Object.keys(most)) most[name] = Math.max(most[name]!, counts[name]!)
        await turn(1000)
      }
      return most
    }
  }
}

t.test('requests beyond the capacity of an edge go to the next ones as far as they have room, and come back', async (t) => {
  const { play, capacity, world, loads } = makePlay('{ failover: [icn, nrt, fra] }', { icn: 200, nrt: 120, fra: 300 })
  await play(60, 150)
  t.same(limitOf(world.health.limits[0]).keeps, 1, 'within its capacity it keeps all')
  const most = await play(400, 400)
  t.ok(most['nrt']! < 150, `the next one had ${most['nrt']} of 120 at most`)
  t.ok(most['fra']! < 200, `no chain: the one after it had ${most['fra']}`)
  const late = await play(60, 400)
  t.ok(late['icn']! < 260, `${late['icn']} of 200 at most in the end`)
  t.ok(Math.abs(limitOf(world.health.limits[0]).keeps - 0.5) < 0.12, `it keeps ${limitOf(world.health.limits[0]).keeps} of its own`)
  t.equal(limitOf(world.health.limits[1]).keeps, 1, 'and the next one all of its own')
  t.equal(capacity.loadOf('icn')!.capacity, 200)
  await play(300, 100)
  t.equal(limitOf(world.health.limits[0]).keeps, 1)
  t.same(loads['nrt'], 0)
  capacity.close()
})

t.test('what an edge says of its own load and capacity goes before what the supervisor counts', async (t) => {
  // By requests it has room without end; its processors are busy at 100 requests a second.
  const { play, capacity, world } = makePlay('{ failover: [icn, nrt, fra] }', { icn: 100_000, nrt: 100_000, fra: 100_000 }, (name, requests) => (name === 'icn' ? { load: requests / 100, capacity: 1 } : undefined))
  await play(30, 90)
  t.equal(limitOf(world.health.limits[0]).keeps, 1)
  await play(300, 200)
  t.ok(Math.abs(limitOf(world.health.limits[0]).keeps - 0.5) < 0.15, `it keeps ${limitOf(world.health.limits[0]).keeps} of its own`)
  t.equal(capacity.loadOf('icn')!.capacity, 1)
  capacity.close()
})

t.test('an edge that is down, or of which no load is known, is not limited', async (t) => {
  const { play, capacity, world } = makePlay('{ failover: [icn, nrt, fra] }', { icn: 200, nrt: 1000, fra: 1000 })
  await play(300, 400)
  t.ok(limitOf(world.health.limits[0]).keeps < 0.7)
  setHealth(world.health, 0, healthWord('DOWN', 'none', false))
  await play(30, 400)
  t.equal(limitOf(world.health.limits[0]).keeps, 1)
  t.equal(capacity.loadOf('icn'), undefined)
  capacity.close()
})

t.test('after an outage weight and capacity come back slowly, and the order of a policy at once', async (t) => {
  const weighted = makePlay('{ weighted: { icn: 50, nrt: 50 } }', { icn: 1000, nrt: 1000, fra: 1000 })
  const ordered = makePlay('{ failover: [icn, nrt, fra] }', { icn: 1000, nrt: 1000, fra: 1000 })
  for (const { world, capacity } of [weighted, ordered]) {
    setHealth(world.health, 0, healthWord('DOWN', 'none', false))
    capacity.recovered('icn')
    setHealth(world.health, 0, healthWord('UP', 'none', false))
  }
  const draws = (play: Play): number => {
    const answerer = makeAnswerer({ world: play.world })
    const { bytes, source } = writeQuery(['A', 'www.shop.test'])
    const out = new Uint8Array(512)
    let first = 0
    for (let draw = 0; draw < 1000; draw++) if (out[answerer.answer(bytes, 0, bytes.length, source, 'udp', out, 0, out.length) - 1] === 1) first++
    return first / 1000
  }
  const steps: number[] = []
  for (let second = 0; second <= 12; second += 2) {
    steps.push(draws(weighted))
    t.equal(draws(ordered), 1, 'by order it has all of its own again')
    await weighted.play(2, 10)
    await ordered.play(2, 10)
  }
  t.ok(steps[0]! < 0.2, `an eighth of its weight against a whole one: ${steps[0]}`)
  t.ok(steps.at(-1)! > 0.43 && steps.at(-1)! < 0.57, `all of it in the end: ${steps.at(-1)}`)
  t.ok(steps.every((share, index) => index === 0 || share > steps[index - 1]! - 0.07), `${steps}`)
  for (const { capacity } of [weighted, ordered]) capacity.close()
})
