import { Fill, type Range, type Reader } from './cache/index.ts'

/** Octets of a body: from the first to the last, which is included. */
export interface Slice extends Range {
  readonly fill: Fill
}

/** A body made of others. */
export interface Joined {
  readonly fill: Fill
  /** Begins to read, once somebody reads what is made. */
  start(): void
  /** Nobody reads any more. */
  stop(): void
}

/**
 * Slices of bodies, one after the other, as one body for one reader, who is waited for. Where one of them breaks off, or ends before
 * its slice does, what is made of them breaks off too.
 * @param fault told what went wrong of ours, which breaks it off
 */
export function joinSlices(slices: readonly Slice[], fault: (error: unknown) => void): Joined {
  const left = [...slices]
  let isPaused = false
  let isBusy = false
  let isOver = false
  const fill = new Fill({ kept: false, flow: { pause: () => void (isPaused = true), resume: () => void ((isPaused = false), pump()) } })
  let reader: Reader | undefined
  const letGo = (): void => {
    if (reader !== undefined) left[0]?.fill.detach(reader)
    reader = undefined
  }
  const stop = (): void => {
    isOver = true
    letGo()
  }
  const end = (how: 'end' | 'fail'): void => {
    stop()
    fill[how]()
  }
  /** Passes a piece on. @returns whether there is more to do at once */
  const step = (): boolean => {
    const slice = left[0]
    if (slice === undefined) {
      end('end')
      return false
    }
    if (reader === undefined) {
      reader = { next: 0, at: slice.first, wake: () => pump() }
      slice.fill.attach(reader)
    }
    const piece = slice.fill.isBrokenFor(reader) ? undefined : slice.fill.read(reader)
    if (piece === undefined) {
      if (slice.fill.isBrokenFor(reader) || (slice.fill.state === 'complete' && slice.fill.isAtEnd(reader))) end('fail')
      return false
    }
    const from = reader.at - piece.length
    if (reader.at > slice.last) {
      letGo()
      left.shift()
    }
    fill.push(piece.subarray(Math.max(0, slice.first - from), slice.last + 1 - from))
    return true
  }
  const pump = (): void => {
    if (isBusy) return
    isBusy = true
    try {
      let isMore = true
      while (isMore) isMore = !isPaused && !isOver && step()
    } catch (error) {
      fault(error)
      end('fail')
    } finally {
      isBusy = false
    }
  }
  return { fill, start: pump, stop }
}
