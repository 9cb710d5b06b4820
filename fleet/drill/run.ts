import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/trouble.ts'
import { makeAsker } from './asker.ts'
import { fetchOnce } from './fetcher.ts'
import { makeLoad, type Load, type Viewpoint } from './load.ts'
import { makeReport, type Kind, type Limits, type Report } from './report.ts'
import { makeTally, type Tally } from './tally.ts'

/** One member of the fleet as the daemon tells of it. Times are wall milliseconds. */
export interface MemberSeen {
  readonly name: string
  /** Whether DNS answers name it, and since when that is so. */
  readonly answerable: boolean
  readonly answerableSince?: number
  readonly process: 'running' | 'stopped' | 'other'
}

/** What a drill needs of the fleet's control. Each call rejects with one line when it is refused. */
export interface Control {
  /** Undefined while the daemon does not answer. */
  see(name: string): Promise<MemberSeen | undefined>
  stop(name: string, forMs: number): Promise<void>
  kill(name: string, forMs: number): Promise<void>
  start(name: string): Promise<void>
}

export interface DrillOptions {
  readonly member: string
  readonly kind: Kind
  readonly viewpoints: readonly Viewpoint[]
  /** The greatest TTL of the answers in question, seconds. */
  readonly ttl: number
  /** The greatest TTL of any answer that may name the member, seconds: the fleet waits for it before the process ends. */
  readonly longestTtl: number
  readonly rate: number
  readonly clients: number
  readonly limits: Limits
  /** Load before the order, milliseconds: clients fill their caches meanwhile. */
  readonly warmMs: number
  readonly dns: { readonly address: string; readonly port: number }
  readonly httpPort: number
  /** Names of the edges by address. */
  readonly members: ReadonlyMap<string, string>
  readonly control: Control
  readonly clock: Clock
  /** Ends the drill before its time; what was stopped is started again. */
  readonly signal: AbortSignal
  /** Ends the wait for the member's return too, once it has been started again. */
  readonly hurry: AbortSignal
  /** Told about once a second. */
  readonly progress: (now: Progress) => void
}

export interface Progress {
  readonly phase: 'warming up' | 'out' | 'coming back' | 'back'
  readonly tookMs: number
  readonly believers: number
  readonly tally: Tally
}

const TICK_MS = 10
const LOOK_MS = 100
const SETTLE_MS = 1000
const BACK_WITHIN_MS = 30_000
/** Past its own end by this much, the fleet undoes by itself what a drill that died had done. */
const GRACE_MS = 15_000
const QUERY_TIMEOUT_MS = 1000
const REQUEST_TIMEOUT_MS = 3000

/** For how long a drill keeps its member out at most, and for how long it asks the fleet to. */
function outageBounds(ttl: number): { mostMs: number; forMs: number } {
  const mostMs = (2 * ttl + 15) * 1000
  return { mostMs, forMs: mostMs + GRACE_MS }
}

/** Takes a member out under load, brings it back, and tells what clients saw. Whatever happens, the member is started again. */
export async function runDrill(options: DrillOptions): Promise<Report> {
  const { clock, member, rate, viewpoints } = options
  const tally = makeTally(member)
  const asker = makeAsker(options.dns, QUERY_TIMEOUT_MS, clock)
  const fetch = (address: string, host: string) => fetchOnce({ address, port: options.httpPort, host, path: '/' }, REQUEST_TIMEOUT_MS, clock)
  const load = makeLoad({ viewpoints, clients: options.clients, rate, members: options.members, ask: asker.ask, fetch, tally, clock, random: Math.random })
  const began = clock.elapsed()
  const startedAt = new Date(clock.now()).toISOString()
  const ticking = setInterval(() => load.tick(), TICK_MS)
  const telling = setInterval(() => options.progress({ phase: progressOf(tally), tookMs: clock.elapsed() - began, believers: load.believers(), tally }), 1000)
  let interrupted: string | undefined
  try {
    interrupted = await rehearse(options, tally, load)
    await sleep(interrupted === undefined ? 2 * SETTLE_MS : 0, undefined, { signal: options.signal }).catch(() => undefined)
  } finally {
    clearInterval(ticking)
    clearInterval(telling)
    await load.settled()
    asker.close()
  }
  return makeReport(tally, {
    kind: options.kind,
    startedAt,
    tookMs: Math.round(clock.elapsed() - began),
    ...(interrupted === undefined ? {} : { interrupted }),
    load: {
      clients: options.clients,
      rate,
      ttl: options.ttl,
      hosts: [...new Set(viewpoints.map(({ host }) => host))],
      subnets: [...new Set(viewpoints.map(({ question }) => question.subnet))]
    },
    limits: options.limits
  })
}

function progressOf(tally: Tally): Progress['phase'] {
  if (tally.orderedAt === undefined) return 'warming up'
  if (tally.startedAt === undefined) return 'out'
  return tally.returnedAt === undefined ? 'coming back' : 'back'
}

/** The drill itself. Returns why it was cut short, if it was. */
async function rehearse(options: DrillOptions, tally: Tally, load: Load): Promise<string | undefined> {
  const { control, member, clock, signal } = options
  let trouble: string | undefined
  try {
    await sleep(options.warmMs, undefined, { signal })
    const { forMs } = outageBounds(options.longestTtl)
    tally.orderedAt = clock.elapsed()
    await (options.kind === 'planned' ? control.stop(member, forMs) : control.kill(member, forMs))
    await watchOutage(options, tally, load)
  } catch (error) {
    trouble = signal.aborted ? String(signal.reason) : messageOf(error)
  }
  if (tally.orderedAt === undefined) return trouble
  // From here on nothing interrupts: what was taken out is brought back first.
  tally.startedAt = clock.elapsed()
  try {
    await control.start(member)
  } catch (error) {
    return `${member} could not be started again: ${messageOf(error)}`
  }
  while (tally.returnedAt === undefined && clock.elapsed() - tally.startedAt < BACK_WITHIN_MS && !options.hurry.aborted) await sleep(LOOK_MS)
  return trouble ?? (signal.aborted ? String(signal.reason) : undefined)
}

/** Waits until nobody can still be sent to the member: its answers have run out everywhere and, when planned, it has exited. */
async function watchOutage(options: DrillOptions, tally: Tally, load: Load): Promise<void> {
  const { clock, kind, signal } = options
  const until = tally.orderedAt! + outageBounds(options.longestTtl).mostMs
  while (clock.elapsed() < until) {
    await lookAtMember(options, tally)
    if (tally.leftAt !== undefined && load.believers() === 0) tally.clientsGoneAt ??= clock.elapsed()
    if (tally.clientsGoneAt !== undefined && tally.detectedAt !== undefined && (kind === 'kill' || tally.exitedAt !== undefined)) {
      await sleep(SETTLE_MS, undefined, { signal })
      return
    }
    await sleep(LOOK_MS, undefined, { signal })
  }
}

async function lookAtMember({ control, member, clock, kind }: DrillOptions, tally: Tally): Promise<void> {
  if (tally.detectedAt !== undefined && (kind === 'kill' || tally.exitedAt !== undefined)) return
  const seen = await control.see(member)
  if (seen === undefined) return
  if (!seen.answerable && tally.detectedAt === undefined) {
    // The daemon's own stamp is finer than the interval of these looks.
    const ago = seen.answerableSince === undefined ? 0 : Math.max(0, clock.now() - seen.answerableSince)
    tally.detectedAt = Math.max(tally.orderedAt!, clock.elapsed() - ago)
  }
  if (seen.process === 'stopped') tally.exitedAt ??= clock.elapsed()
}
