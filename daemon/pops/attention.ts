import type { After, Clock } from '../../core/clock.ts'

/** How often the thread shows that it runs, and from which gap on it is taken to have been held up. */
const LOOK_MS = 250
const HELD_UP_MS = 750

export interface Attention {
  /** Steady time in which this thread could have heard anything. */
  elapsed(): number
  close(): void
}

/**
 * A steady clock that stands still while this thread is held up, by work of its own or by a busy machine: whatever came in
 * meanwhile lies unread, so that the silence is ours and not theirs.
 * @param mostMs of one hold-up no more is forgiven: after a long pause what was heard before it is old, whoever was silent
 */
export function payAttention({ clock, after, mostMs }: { readonly clock: Pick<Clock, 'elapsed'>; readonly after: After; readonly mostMs: number }): Attention {
  let last = clock.elapsed()
  let forgiven = 0
  const elapsed = (): number => {
    const now = clock.elapsed()
    const gap = now - last
    if (gap > HELD_UP_MS) forgiven += Math.min(gap - LOOK_MS, mostMs)
    last = now
    return now - forgiven
  }
  const look = (): void => {
    elapsed()
    cancel = after(LOOK_MS, look)
  }
  let cancel = after(LOOK_MS, look)
  return { elapsed, close: () => cancel() }
}
