import type { Member } from '../../core/channel.ts'
import type { After, Clock } from '../../core/clock.ts'
import { firstShare, isAnswerable, limitOf, limitWord, nextShares, setLimits, type HealthTable, type ShareState, type TargetReport } from '../../healthchecks/index.ts'

/** Moves the limits of edges by their loads, and brings weights back after an outage. */
export interface Capacity {
  /** A target was down and is up: its weight begins small. */
  recovered(name: string): void
  /** The load that goes by now, in the unit of the capacity. */
  loadOf(name: string): { readonly load: number; readonly capacity: number } | undefined
  close(): void
}

export interface CapacityOptions {
  readonly table: HealthTable
  /** Of each edge, its word and its requests per second. */
  readonly edges: readonly { readonly name: string; readonly word: number; readonly capacity: number }[]
  readonly clock: Clock
  readonly after: After
  readonly rampMs: number
  members(): readonly Member[]
  report(name: string): TargetReport | undefined
  wordOf(name: string): number | undefined
  /** The greatest TTL of a routed record now, in seconds. */
  routedTtl(): number
}

const EVERY_MS = 1000
/** Words are written only where they moved by so much, and no more often than this: each write has all prepared answers made anew. */
const LEAST_MOVE = 8
const LEAST_BETWEEN_MS = 2000
/** Loads are smoothed over about so many seconds; with that an answer's TTL is the lag of the loop. */
const SMOOTHING = 0.2
const MEASURE_LAG_MS = 5000
const SHORTEST_LAG_MS = 10_000
const LONGEST_LAG_MS = 300_000
/** Weights come back in so many steps. */
const RAMP_STEPS = 8

export function startCapacity(options: CapacityOptions): Capacity {
  const { table, edges, clock, after, rampMs } = options
  const smoothed = new Map<string, number>()
  const ramps = makeRamps(clock, rampMs)
  let states: readonly ShareState[] = edges.map(() => firstShare)
  let steppedAt = clock.elapsed()
  let writtenAt = Number.NEGATIVE_INFINITY
  let cancel = (): void => undefined

  const measure = (): { load: number | undefined; capacity: number }[] => {
    const rates = new Map(options.members().map(({ name, requestsPerSecond }) => [name, requestsPerSecond]))
    return edges.map(({ name, word, capacity }) => {
      const report = options.report(name)
      const raw = report?.load ?? rates.get(name)
      const own = (report?.capacity ?? capacity) * ramps.of(name)
      if (raw === undefined || !isAnswerable(table.words[word]!)) {
        smoothed.delete(name)
        return { load: undefined, capacity: own }
      }
      const before = smoothed.get(name) ?? raw
      const load = before + (raw - before) * SMOOTHING
      smoothed.set(name, load)
      return { load, capacity: own }
    })
  }
  const write = (): void => {
    if (clock.elapsed() - writtenAt < LEAST_BETWEEN_MS) return
    const changes = new Map<number, number>()
    for (const [index, { name, word }] of edges.entries()) put(table, changes, word, states[index]!.share, ramps.of(name))
    for (const { name, word } of ramps.list()) if (!edges.some((edge) => edge.name === name)) put(table, changes, word, 2, ramps.of(name))
    if (changes.size === 0) return ramps.dropEnded()
    setLimits(table, changes)
    writtenAt = clock.elapsed()
    ramps.dropEnded()
  }
  const turn = (): void => {
    const now = clock.elapsed()
    const lagMs = Math.min(LONGEST_LAG_MS, Math.max(SHORTEST_LAG_MS, options.routedTtl() * 1000 + MEASURE_LAG_MS))
    states = nextShares(states, measure(), now - steppedAt, lagMs)
    steppedAt = now
    write()
    cancel = after(EVERY_MS, turn)
  }
  cancel = after(EVERY_MS, turn)
  return {
    recovered: (name) => {
      const word = options.wordOf(name)
      if (word === undefined || rampMs === 0) return
      ramps.begin(name, word)
      const { keeps, takes } = limitOf(table.limits[word])
      // At once, with the verdict: or the whole weight would be back for a moment.
      setLimits(table, new Map([[word, limitWord(keeps + takes, ramps.of(name))]]))
    },
    loadOf: (name) => {
      const load = smoothed.get(name)
      const edge = edges.find((each) => each.name === name)
      return load === undefined || edge === undefined ? undefined : { load, capacity: options.report(name)?.capacity ?? edge.capacity }
    },
    close: () => cancel()
  }
}

/** Notes a word that is to be written, where it has moved far enough. */
function put(table: HealthTable, changes: Map<number, number>, word: number, share: number, ramp: number): void {
  const next = limitWord(share, ramp)
  const before = table.limits[word]!
  const moved = Math.abs((next & 0x3ff) - (before & 0x3ff))
  const isWhole = share === 0 || share === 1 || share === 2
  if (moved >= LEAST_MOVE || (moved > 0 && isWhole) || next >>> 16 !== before >>> 16) changes.set(word, next)
}

/** Weights on their way back. */
function makeRamps(clock: Clock, rampMs: number): { begin(name: string, word: number): void; of(name: string): number; list(): readonly { name: string; word: number }[]; dropEnded(): void } {
  const ramps = new Map<string, { readonly word: number; readonly since: number }>()
  const of = (name: string): number => {
    const ramp = ramps.get(name)
    return ramp === undefined ? 1 : Math.min(1, Math.floor(((clock.elapsed() - ramp.since) / rampMs) * RAMP_STEPS + 1) / RAMP_STEPS)
  }
  return {
    begin: (name, word) => void ramps.set(name, { word, since: clock.elapsed() }),
    of,
    list: () => Array.from(ramps, ([name, { word }]) => ({ name, word })),
    dropEnded: () => {
      for (const name of ramps.keys()) if (of(name) === 1) ramps.delete(name)
    }
  }
}
