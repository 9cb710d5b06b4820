/** The time that buckets count in: hundredths of a millisecond, of which 32 bits hold twelve hours. */
export const TICKS_PER_MS = 100
const SECOND = 1000 * TICKS_PER_MS

/** Buckets of one cache line; an entry is found in one of them or not at all. */
const WAYS = 8
const LINE = WAYS * 2

/**
 * Leaky buckets in shared memory, in lines of eight: of each the tag, and the time at which all that was taken will have run
 * out again. One whose time has come stands for nothing, so that its place is free.
 */
export interface Buckets {
  readonly words: Int32Array
  /** By which keys are hashed: nobody outside can tell which of them fall together. */
  readonly key: readonly [number, number]
}

/** @param size octets, rounded up to a power of two */
export function makeBuckets(size: number, key: readonly [number, number]): Buckets {
  const octets = 2 ** Math.ceil(Math.log2(Math.max(size, LINE * 4)))
  return { words: new Int32Array(new SharedArrayBuffer(octets)), key }
}

/**
 * HalfSipHash-1-3 of four words: 32 bits that nobody foretells without the key.
 * (J.-P. Aumasson, D. J. Bernstein: SipHash, 2012, and its 32-bit form.)
 */
export function hash({ key }: Buckets, a: number, b: number, c: number, d: number): number {
  let v0 = key[0]
  let v1 = key[1]
  let v2 = key[0] ^ 0x6c796765
  let v3 = key[1] ^ 0x74656462
  for (let round = 0; round < 8; round++) {
    // The words, their length, then three rounds of nothing.
    const word = round === 0 ? a : round === 1 ? b : round === 2 ? c : round === 3 ? d : round === 4 ? 16 << 24 : 0
    if (round === 5) v2 ^= 0xff
    v3 ^= word
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 ^= word
  }
  return v1 ^ v3
}

/** What `take` says. */
export const STATE = { WITHIN: 0, JUST_OVER: 1, OVER: 2 } as const

/**
 * Takes one from the bucket of a hash: within its rate, or over it, and then whether for the first time. What is over counts
 * as well, so that a flood is not let through in slices, but no further than `window`.
 *
 * Plain reads and writes: of two threads that meet in a bucket one may not be counted, which no flood lives on.
 * @param interval ticks between two at the rate allowed; those of one second may come at once
 * @param window ticks that a bucket may be in debt
 */
export function take({ words }: Buckets, tag: number, now: number, interval: number, window: number): number {
  const line = (tag & (words.length / LINE - 1)) * LINE
  const own = tag === 0 ? 1 : tag
  let at = -1
  let free = line
  let least = Infinity
  for (let way = line; way < line + LINE; way += 2) {
    if (words[way] === own) {
      at = way
      break
    }
    const ahead = words[way] === 0 ? 0 : debtOf(words[way + 1]!, now, window)
    if (ahead < least) {
      least = ahead
      free = way
    }
  }
  // Where all eight are in use, who owes least is forgotten: never the one that a flood is after.
  const before = at < 0 ? 0 : debtOf(words[at + 1]!, now, window)
  if (at < 0) words[(at = free)] = own
  const after = before + interval
  words[at + 1] = (now + Math.min(after, SECOND + window)) | 0
  return after <= SECOND ? STATE.WITHIN : before <= SECOND ? STATE.JUST_OVER : STATE.OVER
}

/** Ticks until a bucket has run out; what cannot be so is of a time long past, or of before a clock was set back. */
function debtOf(due: number, now: number, window: number): number {
  const ahead = (due - now) | 0
  return ahead < 0 || ahead > SECOND + window ? 0 : ahead
}

/** Ticks between two answers at so many a second. */
export function intervalOf(perSecond: number): number {
  return Math.max(1, Math.round(SECOND / perSecond))
}
