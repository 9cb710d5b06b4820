import { Fill, type Range, type Reader } from './cache/index.ts'

/** Octets of a body: from the first to the last, which is included. One that is still being opened may turn out to be gone, or not to be had for now. */
export interface Slice extends Range {
  readonly fill: Fill | Promise<Fill | 'not now' | undefined>
}

/** A body made of others. */
export interface Joined {
  readonly fill: Fill
  /** Begins to read, once somebody reads what is made. */
  start(): void
  /** Nobody reads any more. */
  stop(): void
}

/** A slice that is being read. */
interface Reading {
  readonly slice: Slice
  readonly reader: Reader
  /** Undefined while it is being opened. */
  fill: Fill | undefined
}

/**
 * Slices of bodies, one after the other, as one body for one reader, who is waited for. Where one of them breaks off, or ends before
 * its slice does, what is made of them breaks off too. All are held on to from the start: a body that comes is not over when it is its turn.
 * @param fault told what went wrong of ours, which breaks it off
 */
export function joinSlices(slices: readonly Slice[], fault: (error: unknown) => void): Joined {
  let isPaused = false
  let isBusy = false
  let isOver = false
  // Whoever resumes has just taken a piece that it has not passed on: what follows must not overtake that.
  const fill = new Fill({ kept: false, flow: { pause: () => void (isPaused = true), resume: () => void ((isPaused = false), setImmediate(pump)) } })
  const readings: Reading[] = []
  const open = (slice: Slice): Reading => {
    const reading: Reading = { slice, reader: { next: 0, at: slice.first, wake: () => pump() }, fill: undefined }
    if (slice.fill instanceof Fill) attach(reading, slice.fill)
    else slice.fill.then((opened) => {
      if (opened === undefined || opened === 'not now') return void (isOver || end('fail'))
      attach(reading, opened)
      if (isOver) opened.detach(reading.reader)
      else pump()
    }).catch((error: unknown) => {
      fault(error)
      if (!isOver) end('fail')
    })
    return reading
  }
  const stop = (): void => {
    isOver = true
    for (const { fill, reader } of readings.splice(0)) fill?.detach(reader)
  }
  const end = (how: 'end' | 'fail'): void => {
    stop()
    fill[how]()
  }
  /** Passes a piece on. @returns whether there is more to do at once */
  const step = (): boolean => {
    const reading = readings[0]
    if (reading === undefined) {
      end('end')
      return false
    }
    const piece = readOn(reading)
    if (piece === 'broken') end('fail')
    if (piece === 'broken' || piece === undefined) return false
    if (reading.reader.at > reading.slice.last) {
      reading.fill!.detach(reading.reader)
      readings.shift()
    }
    fill.push(piece)
    return true
  }
  const pump = (): void => {
    if (isBusy || isOver) return
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
  const start = (): void => {
    isBusy = true
    readings.push(...slices.map(open))
    isBusy = false
    // Who was to read it may be gone already.
    if (isOver) stop()
    else pump()
  }
  return { fill, start, stop }
}

/** The next octets of a slice; undefined where they have to be waited for. */
function readOn({ slice, reader, fill }: Reading): Buffer | 'broken' | undefined {
  if (fill === undefined) return undefined
  const piece = fill.isBrokenFor(reader) ? undefined : fill.read(reader)
  if (piece === undefined) return fill.isBrokenFor(reader) || (fill.state === 'complete' && fill.isAtEnd(reader)) ? 'broken' : undefined
  const from = reader.at - piece.length
  return piece.subarray(Math.max(0, slice.first - from), slice.last + 1 - from)
}

function attach(reading: Reading, fill: Fill): void {
  reading.fill = fill
  fill.attach(reading.reader)
}
