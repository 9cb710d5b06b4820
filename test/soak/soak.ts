import { setTimeout as sleep } from 'node:timers/promises'
import { makeRandom } from '../helpers/random.ts'
import { earnestTcp, earnestUdp, hostileTcp, hostileUdp, makeTally, transfers, type LoadOptions, type Tally } from './load.ts'
import { EDGES, startSoaked, type SoakedServer } from './server.ts'

// An hour, or less, of all that a server meets at once: questions in earnest, noise, floods, connections that do nothing, and
// zones, policies and health that change meanwhile. What is counted must add up, and what is measured must stay as it is.

export interface SoakOptions {
  readonly minutes: number
  readonly folder: string
  readonly port: number
  readonly seed: number
  /** Queries a second in earnest over UDP; the other parts of the load go by it. */
  readonly rate: number
  readonly say: (line: string) => void
}

export interface SoakResult {
  readonly tally: Tally
  readonly editions: number
  /** What was found wanting, a line each; empty: nothing. */
  readonly faults: readonly string[]
}

const STEP_MS = 20
/** An edition is served to whoever asks this long after it was written: a busy machine reads files late. */
const SETTLED_MS = 20_000
/** Memory is warm, and CPU steady, after this share of the time, or this long. */
const WARM_SHARE = 0.25
const WARM_MS = 600_000
/** Kilobytes that memory may grow by over the rest of the time: what an hour of allocating and freeing scatters. */
const MOST_GROWTH_KB = 32 << 10
/** CPU per query in the last third beside the first; over less than some minutes chance has more of a say. */
const MOST_SLOWER = 1.5
const MOST_SLOWER_BRIEFLY = 4
const BRIEF_MS = 300_000

interface Sample {
  readonly at: number
  readonly memory: number
  readonly cpu: number
  readonly served: number
}

export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { minutes, folder, port, seed, rate, say } = options
  const server = await startSoaked(folder, port)
  const tally = makeTally()
  const random = makeRandom(seed)
  const written: { at: number; edition: number }[] = [{ at: -Infinity, edition: 1 }]
  const now = (): number => performance.now()
  const editions = (asked: number) => ({ oldest: written.findLast(({ at }) => at < asked - SETTLED_MS)!.edition, newest: written.at(-1)!.edition })
  const load = (share: number): LoadOptions => ({ port, rate: rate * share, random, tally, now, editions })
  try {
    const loads = [await earnestUdp(load(1)), earnestTcp(load(0.3)), transfers({ ...load(0), rate: 0.2 }), await hostileUdp(load(0.7)), hostileTcp(load(0.05))]
    const samples: Sample[] = []
    const begun = now()
    const end = begun + minutes * 60_000
    const changes = changer(server, random, written, now)
    let last = begun
    for (let time = begun; time < end && !server.hasEnded(); time = now()) {
      for (const each of loads) each.step(time - last)
      changes(time)
      if (samples.length === 0 || time - samples.at(-1)!.at >= 1000) {
        samples.push({ at: time, memory: server.memory(), cpu: server.cpu(), served: tally.asked + tally.tcpAsked + tally.hostile })
        if (samples.length % 60 === 0) say(lineOf(tally, samples, begun))
      }
      last = time
      await sleep(STEP_MS)
    }
    await Promise.all(loads.map((each) => each.stop()))
    return { tally, editions: written.length, faults: server.hasEnded() ? [`the server ended: ${server.log()}`] : faultsOf(tally, samples, written.length, say) }
  } finally {
    await server.stop()
  }
}

/** Edits the zone every 3 s (one edition in eight is broken at first), the policies every 10 s, and lets edges fail and pass again. */
function changer(server: SoakedServer, random: ReturnType<typeof makeRandom>, written: { at: number; edition: number }[], now: () => number): (time: number) => void {
  const due = { zone: now() + 2000, policies: now() + 3000, health: now() + 4000 }
  let edition = 1
  let turn = 0
  let broken = false
  const up = EDGES.map(() => true)
  return (time) => {
    if (time > due.zone) {
      due.zone = time + 3000
      broken = !broken && random.percent(12)
      if (!broken) written.push({ at: time, edition: ++edition })
      server.edit(broken ? edition + 1 : edition, broken)
      // What nobody can still be answered from need not be known.
      while (written.length > 2 && written[1]!.at < time - 3 * SETTLED_MS) written.shift()
    }
    if (time > due.policies) {
      due.policies = time + 10_000
      server.editPolicies(++turn)
    }
    if (time > due.health) {
      due.health = time + 4000
      const edge = random.below(EDGES.length)
      up[edge] = !up[edge]
      server.flip(edge, up[edge])
    }
  }
}

function lineOf(tally: Tally, samples: readonly Sample[], begun: number): string {
  const { at, memory } = samples.at(-1)!
  const before = samples.at(-60)!
  const cost = (samples.at(-1)!.cpu - before.cpu) / Math.max(1, samples.at(-1)!.served - before.served)
  return `${Math.round((at - begun) / 60_000)} min: ${tally.answered} of ${tally.asked} answered over UDP, ${tally.tcpAnswered} of ${tally.tcpAsked} over TCP (${tally.tcpAgain} connections made again), ${tally.hostile} hostile packets, ${tally.connections} connections, ${tally.transfers} transfers; ${tally.lost} lost, ${tally.wrong} wrong; ${(memory / 1024).toFixed(0)} MiB, ${cost.toFixed(1)} µs a query`
}

function faultsOf(tally: Tally, samples: readonly Sample[], editions: number, say: (line: string) => void): string[] {
  const faults: string[] = []
  const holds = (condition: boolean, fault: string): void => void (condition || faults.push(fault))
  holds(tally.lost === 0, `${tally.lost} of ${tally.asked} queries over UDP were not answered`)
  holds(tally.tcpAnswered === tally.tcpAsked, `${tally.tcpAsked - tally.tcpAnswered} of ${tally.tcpAsked} queries over TCP were not answered`)
  holds(tally.wrong === 0, `${tally.wrong} answers were wrong: ${tally.faults.join('; ')}`)
  holds(tally.answered + tally.lost === tally.asked, 'what was asked and what came of it do not add up')
  holds(editions > 2, 'the zone was not edited')
  const [first] = samples
  if (first === undefined) return [...faults, 'there was no time to measure']
  const span = samples.at(-1)!.at - first.at
  const warm = samples.filter(({ at }) => at - first.at >= Math.min(span * WARM_SHARE, WARM_MS))
  const growth = slopeOf(warm.map(({ at, memory }) => [at, memory])) * (samples.at(-1)!.at - warm[0]!.at)
  holds(growth < MOST_GROWTH_KB, `memory grew by ${(growth / 1024).toFixed(1)} MiB in ${((samples.at(-1)!.at - warm[0]!.at) / 60_000).toFixed(1)} min, from ${(warm[0]!.memory / 1024).toFixed(0)} MiB`)
  const third = Math.floor(warm.length / 3)
  const cost = (part: readonly Sample[]): number => (part.at(-1)!.cpu - part[0]!.cpu) / Math.max(1, part.at(-1)!.served - part[0]!.served)
  const [early, late] = [cost(warm.slice(0, third + 1)), cost(warm.slice(-third - 1))]
  holds(late < early * (span < BRIEF_MS ? MOST_SLOWER_BRIEFLY : MOST_SLOWER), `a query cost ${early.toFixed(1)} µs of CPU at first and ${late.toFixed(1)} µs in the end`)
  say(`memory ${(warm[0]!.memory / 1024).toFixed(0)} MiB when warm, ${(samples.at(-1)!.memory / 1024).toFixed(0)} MiB in the end, ${(growth / 1024).toFixed(1)} MiB by its slope; CPU ${early.toFixed(1)} µs a query at first, ${late.toFixed(1)} µs in the end`)
  return faults
}

/** Of the line through points that has the least squares. */
function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (index: 0 | 1): number => points.reduce((sum, point) => sum + point[index], 0) / points.length
  const [x, y] = [mean(0), mean(1)]
  const spread = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
  return spread === 0 ? 0 : points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) / spread
}
