import { join } from 'node:path'
import type { Clock } from '../../core/clock.ts'
import { TALLY } from '../answer/index.ts'
import type { WorldImage } from '../world.ts'
import { openZoneImage } from '../zone/index.ts'
import type { Asked } from './asked.ts'
import { makeHarvester, type Built, type Counts } from './harvest.ts'
import { openCountStore } from './store.ts'

/** The queries of the last 24 hours: taken from the serving threads every few seconds, and kept every minute. */
export interface Counting {
  /** Another world is about to be put in service: what was counted in the one before is taken now. */
  use(world: WorldImage): void
  /** Everything counted from `since` on. */
  asked(since: number): Promise<Asked>
  close(): Promise<void>
}

export interface CountingOptions {
  readonly stateFolder: string
  /** Of the serving threads. */
  readonly tallies: readonly Int32Array[]
  /** Queries of every kind so far. */
  total(): number
  readonly clock: Clock
  warn(line: string): void
}

const LOOK_EVERY_MS = 1000
const TAKE_EVERY = 5
/** Queries a second and thread past which only one of SPARSE is counted, for so many. */
const BUSY = 2000
const SPARSE = 16
const MINUTE_MS = 60_000

export function startCounting({ stateFolder, tallies, total, clock, warn }: CountingOptions): Counting {
  const store = openCountStore(join(stateFolder, 'queries'), clock, warn)
  const harvester = makeHarvester(tallies)
  let built: Built[] = []
  let counts: Counts = new Map()
  let minute = Math.floor(clock.now() / MINUTE_MS)
  let since = clock.now()
  let taken = total()
  const take = (): void => harvester.take(built, counts)
  const keep = (): Promise<void> => {
    take()
    const asked = total() - taken
    const full = counts
    counts = new Map()
    taken += asked
    const at = minute * MINUTE_MS
    minute = Math.floor(clock.now() / MINUTE_MS)
    since = clock.now()
    return asked === 0 ? Promise.resolve() : store.keep(at, asked, full)
  }
  let turn = 0
  let before = total()
  const timer = setInterval(() => {
    const now = total()
    for (const tally of tallies) Atomics.store(tally, TALLY.EVERY, now - before > BUSY * tallies.length ? SPARSE : 1)
    before = now
    if (++turn % TAKE_EVERY !== 0) return
    if (Math.floor(clock.now() / MINUTE_MS) === minute) take()
    else void keep()
  }, LOOK_EVERY_MS)
  timer.unref()
  return {
    use(world) {
      take()
      const { build } = world.zones
      // Threads come to the new zones one after the other.
      built = [{ build, image: openZoneImage(world.zones) }, ...built.filter((each) => each.build !== build).slice(0, 1)]
    },
    asked(from) {
      take()
      return store.read(from, { total: total() - taken, counts, since })
    },
    async close() {
      clearInterval(timer)
      await keep()
    }
  }
}
