import { setTimeout as sleep } from 'node:timers/promises'
import type { Injection } from '../../core/channel.ts'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/trouble.ts'
import { makeAsker } from './asker.ts'
import type { Blow } from './blow.ts'
import { fetchOnce } from './fetcher.ts'
import type { Limits } from './limits.ts'
import { makeLoad, type Load, type Viewpoint } from './load.ts'
import { makeReport, type Report } from './report.ts'
import type { Scenario } from './scenario.ts'
import { latest, makeTally, type Tally } from './tally.ts'

/** One member of the fleet as the daemon tells of it. Times are wall milliseconds. */
export interface MemberSeen {
  readonly name: string
  /** Whether DNS answers name it, and since when that is so. */
  readonly answerable: boolean
  readonly answerableSince?: number
  readonly process: 'running' | 'stopped' | 'other'
}

/** What a drill needs of the fleet's control. Each call rejects with one line when it is refused; each blow ends by itself after `forMs`. */
export interface Control {
  /** Undefined while the daemon does not answer. */
  see(name: string): Promise<MemberSeen | undefined>
  stop(name: string, forMs: number): Promise<void>
  kill(name: string, forMs: number): Promise<void>
  pause(name: string, forMs: number): Promise<void>
  inject(name: string, injection: Injection, forMs: number): Promise<void>
  /** Kills it without a word to anybody: it counts as a flap, and is started again as after any death. */
  strike(name: string): Promise<void>
  /** Undoes any of them. */
  start(name: string): Promise<void>
}

export interface DrillOptions {
  readonly title: string
  readonly blow: Blow
  readonly everyMs: number
  readonly times: number
  readonly stays: boolean
  /** How long the blow lasts; absent: until nobody can be sent there any more. Milliseconds. */
  readonly forMs?: number
  readonly viewpoints: readonly Viewpoint[]
  /** The greatest TTL of the answers in question, seconds. */
  readonly ttl: number
  /** The greatest TTL of any answer that may name a member, seconds: the fleet waits for it before a stopped process ends. */
  readonly longestTtl: number
  readonly load: Scenario['load']
  readonly limits: Limits
  readonly dns: { readonly address: string; readonly port: number }
  readonly httpPort: number
  /** Names of the edges by address. */
  readonly names: ReadonlyMap<string, string>
  readonly control: Control
  readonly clock: Clock
  /** Ends the drill before its time; what was struck is made well again. */
  readonly signal: AbortSignal
  /** Ends the wait for the members' return too, once they have been started again. */
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
/** Where nobody has to return: so long without anything that fails. Longer than a request may take. */
const CALM_MS = 4000
/** Beyond this the members' return is not waited for; a flapping one is held down for long. */
const BACK_WITHIN_MS = { flap: 330_000, other: 60_000 }
/** How long a blow lasts that nobody leaves because of it. */
const STAY_MS = 10_000
/** The longest that it may take until a member that says nothing is known to be down. */
const DETECT_MS = 45_000
/** Past its own end by this much, the fleet undoes by itself what a drill that died had done. */
const GRACE_MS = 15_000
const QUERY_TIMEOUT_MS = 1000
const REQUEST_TIMEOUT_MS = 3000

/** For how long a drill keeps its members struck at most. */
function longestBlow({ longestTtl, forMs, blow, everyMs, times }: DrillOptions): number {
  if (blow.kind === 'flap') return everyMs * times + STAY_MS
  return Math.max(forMs ?? 0, 2 * longestTtl * 1000 + (blow.kind === 'stop' || blow.kind === 'kill' ? 15_000 : DETECT_MS))
}

/** Strikes members under load, makes them well again, and tells what clients saw. Whatever happens, they are made well. */
export async function runDrill(options: DrillOptions): Promise<Report> {
  const { clock, viewpoints, blow, load: wanted, title, limits } = options
  const tally = makeTally(blow.members, options.stays ? 'stays' : blow.kind === 'flap' ? 'flaps' : 'leaves')
  const asker = makeAsker(options.dns, QUERY_TIMEOUT_MS, clock)
  let fetches = 0
  const path = wanted.uncached ? () => `/?drill=${++fetches}` : () => '/'
  const fetch = (address: string, host: string) => fetchOnce({ address, port: options.httpPort, host, path: path() }, REQUEST_TIMEOUT_MS, clock)
  const load = makeLoad({ viewpoints, clients: wanted.clients, rate: wanted.rate, names: options.names, ask: asker.ask, fetch, tally, clock, random: Math.random })
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
  return makeReport(tally, homesOf(viewpoints), {
    title,
    members: blow.members,
    kind: blow.kind,
    startedAt,
    tookMs: Math.round(clock.elapsed() - began),
    ...(interrupted === undefined ? {} : { interrupted }),
    load: {
      clients: wanted.clients,
      rate: wanted.rate,
      ttl: options.ttl,
      hosts: [...new Set(viewpoints.map(({ host }) => host))],
      subnets: [...new Set(viewpoints.map(({ question }) => question.subnet))]
    },
    limits
  })
}

/** The struck edges that some of the clients are answered with when all is well. */
function homesOf(viewpoints: readonly Viewpoint[]): string[] {
  return [...new Set(viewpoints.flatMap(({ home }) => home ?? []))]
}

function progressOf(tally: Tally): Progress['phase'] {
  if (tally.orderedAt === undefined) return 'warming up'
  if (tally.startedAt === undefined) return 'out'
  return latest(tally.turns.values(), 'returnedAt') === undefined ? 'coming back' : 'back'
}

/** The drill itself. Returns why it was cut short, if it was. */
async function rehearse(options: DrillOptions, tally: Tally, load: Load): Promise<string | undefined> {
  const { control, clock, signal, blow } = options
  let trouble: string | undefined
  try {
    await sleep(options.load.warmMs, undefined, { signal })
    tally.orderedAt = clock.elapsed()
    await strike(options)
    await watchOutage(options, tally, load)
  } catch (error) {
    trouble = signal.aborted ? String(signal.reason) : messageOf(error)
  }
  if (tally.orderedAt === undefined) return trouble
  // From here on nothing interrupts: what was struck is made well first.
  tally.startedAt = clock.elapsed()
  for (const outcome of await Promise.allSettled(blow.members.map((member) => control.start(member)))) {
    if (outcome.status === 'rejected') trouble ??= `what was done cannot be undone: ${messageOf(outcome.reason)}`
  }
  await watchReturn(options, tally)
  return trouble ?? (signal.aborted ? String(signal.reason) : undefined)
}

/** Gives the blow to all members at once; flapping ones are killed again and again. */
async function strike(options: DrillOptions): Promise<void> {
  const { control, blow, signal } = options
  const { kind, members } = blow
  const forMs = longestBlow(options) + GRACE_MS
  const each = (give: (member: string) => Promise<void>): Promise<unknown> => Promise.all(members.map(give))
  switch (kind) {
    case 'stop':
      return void (await each((member) => control.stop(member, forMs)))
    case 'kill':
      return void (await each((member) => control.kill(member, forMs)))
    case 'pause':
      return void (await each((member) => control.pause(member, forMs)))
    case 'black-hole':
      return void (await each((member) => control.inject(member, { kind: 'silence' }, forMs)))
    case 'slow':
      return void (await each((member) => control.inject(member, { kind: 'delay', ms: blow.delayMs! }, forMs)))
    case 'error':
      return void (await each((member) => control.inject(member, { kind: 'error', status: blow.status! }, forMs)))
    case 'flap':
      for (let death = 0; death < options.times; death++) {
        // One that is between two lives has died already.
        await each((member) => control.strike(member).catch(() => undefined))
        await sleep(options.everyMs, undefined, { signal })
      }
  }
}

/** Waits until nobody can still be sent to a struck member: its answers have run out everywhere and, when planned, it has exited. */
async function watchOutage(options: DrillOptions, tally: Tally, load: Load): Promise<void> {
  const { clock, blow, signal, viewpoints, forMs } = options
  if (blow.kind === 'flap') return
  const homes = homesOf(viewpoints)
  if (options.stays || homes.length === 0) return void (await sleep(forMs ?? STAY_MS, undefined, { signal }))
  const turns = homes.map((home) => tally.turns.get(home)!)
  const until = tally.orderedAt! + longestBlow(options)
  while (clock.elapsed() < until) {
    await lookAtMembers(options, tally)
    if (latest(turns, 'leftAt') !== undefined && load.believers() === 0) tally.clientsGoneAt ??= clock.elapsed()
    const hasEnded = blow.kind !== 'stop' || latest(tally.turns.values(), 'exitedAt') !== undefined
    if (tally.clientsGoneAt !== undefined && latest(turns, 'detectedAt') !== undefined && hasEnded) {
      await sleep(Math.max(SETTLE_MS, (forMs ?? 0) - (clock.elapsed() - tally.orderedAt!)), undefined, { signal })
      return
    }
    await sleep(LOOK_MS, undefined, { signal })
  }
}

/** Waits until all is as before, or has had long enough to be. */
async function watchReturn({ clock, hurry, blow, viewpoints, stays }: DrillOptions, tally: Tally): Promise<void> {
  const homes = homesOf(viewpoints)
  const waitMs = blow.kind === 'flap' ? BACK_WITHIN_MS.flap : BACK_WITHIN_MS.other
  const hasReturned = (): boolean => latest(homes.map((home) => tally.turns.get(home)!), 'returnedAt') !== undefined
  const isCalm = (): boolean => clock.elapsed() - Math.max(tally.startedAt!, tally.troubledAt ?? 0) > CALM_MS
  const isBack = homes.length === 0 || stays ? isCalm : hasReturned
  while (!isBack() && clock.elapsed() - tally.startedAt! < waitMs && !hurry.aborted) await sleep(LOOK_MS)
}

async function lookAtMembers({ control, clock, blow }: DrillOptions, tally: Tally): Promise<void> {
  for (const [member, turn] of tally.turns) {
    if (turn.detectedAt !== undefined && (blow.kind !== 'stop' || turn.exitedAt !== undefined)) continue
    const seen = await control.see(member)
    if (seen === undefined) continue
    if (!seen.answerable && turn.detectedAt === undefined) {
      // The daemon's own stamp is finer than the interval of these looks.
      const ago = seen.answerableSince === undefined ? 0 : Math.max(0, clock.now() - seen.answerableSince)
      turn.detectedAt = Math.max(tally.orderedAt!, clock.elapsed() - ago)
    }
    if (seen.process === 'stopped') turn.exitedAt ??= clock.elapsed()
  }
}
