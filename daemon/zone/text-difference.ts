// Where two texts differ, for large texts that differ little: what agrees is compared by the block, and behind each difference the
// next line that both have brings them together again.

/** Octets [from, to) of the old text have become [newFrom, newTo) of the new one. */
export interface Hunk {
  readonly from: number
  readonly to: number
  readonly newFrom: number
  readonly newTo: number
}

/** Octets that are compared at once, and so many of a line and those behind it that tell it from others. */
const BLOCK = 1 << 16
const ANCHOR = 160
/** How far on in the new text a line of the old one is looked for, and so many of its lines. */
const WINDOW = 1 << 17
const MOST_LINES = 200
const MOST_HUNKS = 200

/**
 * Differences in their order, with what agrees between them; undefined when there are too many to tell.
 * @param near octets within which there is one difference
 */
export function differencesOf(before: Uint8Array, now: Uint8Array, near: number): Hunk[] | undefined {
  const [a, b] = [bufferOf(before), bufferOf(now)]
  const start = commonLength(a, 0, b, 0)
  if (start === a.length && start === b.length) return []
  const tail = commonTail(a, b, start)
  const [end, newEnd] = [a.length - tail, b.length - tail]
  const hunks: Hunk[] = []
  for (let at = start, newAt = start; ; ) {
    const met = end - at <= near && newEnd - newAt <= near ? undefined : meet(a, at, end, b, newAt, newEnd)
    if (met === undefined) {
      hunks.push({ from: at, to: end, newFrom: newAt, newTo: newEnd })
      return hunks
    }
    hunks.push({ from: at, to: met.at, newFrom: newAt, newTo: met.newAt })
    if (hunks.length > MOST_HUNKS) return undefined
    const same = Math.min(commonLength(a, met.at, b, met.newAt), end - met.at, newEnd - met.newAt)
    at = met.at + same
    newAt = met.newAt + same
    if (at === end && newAt === newEnd) return hunks
  }
}

const bufferOf = (text: Uint8Array): Buffer => Buffer.from(text.buffer, text.byteOffset, text.length)

/** How many octets agree from here on. */
function commonLength(a: Buffer, from: number, b: Buffer, newFrom: number): number {
  const most = Math.min(a.length - from, b.length - newFrom)
  let at = 0
  for (; at < most; at += BLOCK) {
    const size = Math.min(BLOCK, most - at)
    if (a.compare(b, newFrom + at, newFrom + at + size, from + at, from + at + size) !== 0) break
  }
  while (at < most && a[from + at] === b[newFrom + at]) at++
  return Math.min(at, most)
}

/** How many octets agree at the end, those before `start` apart. */
function commonTail(a: Buffer, b: Buffer, start: number): number {
  const most = Math.min(a.length, b.length) - start
  let tail = 0
  for (; tail < most; tail += BLOCK) {
    const size = Math.min(BLOCK, most - tail)
    const [from, newFrom] = [a.length - tail - size, b.length - tail - size]
    if (a.compare(b, newFrom, newFrom + size, from, from + size) !== 0) break
  }
  while (tail < most && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++
  return Math.min(tail, most)
}

/** The next place where both have the same lines; undefined when none is near. */
function meet(a: Buffer, from: number, end: number, b: Buffer, newFrom: number, newEnd: number): { readonly at: number; readonly newAt: number } | undefined {
  // Lines may have come alone: then the very line at hand goes on further behind.
  let at = from === 0 ? 0 : a.lastIndexOf(10, from - 1) + 1
  for (let lines = 0; lines < MOST_LINES; lines++) {
    if (at >= from) {
      if (at >= end) return undefined
      const anchor = a.subarray(at, Math.min(at + ANCHOR, a.length))
      const found = b.subarray(newFrom, Math.min(newFrom + WINDOW, b.length)).indexOf(anchor)
      if (found >= 0 && newFrom + found < newEnd) return { at, newAt: newFrom + found }
    }
    const feed = a.indexOf(10, at)
    if (feed < 0) return undefined
    at = feed + 1
  }
  return undefined
}
