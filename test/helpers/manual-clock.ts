import type { After, Clock } from '../../core/clock.ts'

/** A clock that stands still until it is turned, and timers that go by it. */
export interface ManualClock {
  readonly clock: Clock
  readonly after: After
  /** Turns the clock, running what becomes due in its order and letting promises settle between. */
  turn(milliseconds: number): Promise<void>
  /** Turns it a step at a time until the condition holds; returns how long that took, or undefined when it took longer than `most`. */
  turnUntil(condition: () => boolean, most: number, step?: number): Promise<number | undefined>
}

export function makeManualClock(wall = Date.UTC(2026, 0, 1)): ManualClock {
  let time = 0
  let last = 0
  const timers = new Map<number, { at: number; run: () => void }>()
  const settle = async (): Promise<void> => {
    for (let turns = 0; turns < 20; turns++) await Promise.resolve()
  }
  const turn = async (milliseconds: number): Promise<void> => {
    const end = time + milliseconds
    await settle()
    for (;;) {
      const due = [...timers].filter(([, timer]) => timer.at <= end).toSorted(([a, one], [b, other]) => one.at - other.at || a - b)[0]
      if (due === undefined) break
      timers.delete(due[0])
      time = Math.max(time, due[1].at)
      due[1].run()
      await settle()
    }
    time = end
    await settle()
  }
  return {
    clock: { now: () => wall + time, elapsed: () => time },
    after: (milliseconds, run) => {
      const id = ++last
      timers.set(id, { at: time + Math.max(0, milliseconds), run })
      return () => void timers.delete(id)
    },
    turn,
    turnUntil: async (condition, most, step = 50) => {
      const start = time
      await settle()
      while (!condition()) {
        if (time - start >= most) return undefined
        await turn(step)
      }
      return time - start
    }
  }
}
