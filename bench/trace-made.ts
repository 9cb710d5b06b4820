import { number, type Trace } from './trace-files.ts'

// Traces that are made rather than found: requests by Zipf's law, some of them for what is never asked for again. The same at each run.

interface Made {
  readonly name: string
  readonly about: string
  readonly exponent: number
  /** Share of the requests that are for what is never asked for again. */
  readonly once: number
  /** Octets of an object; absent: all are alike. */
  size?(random: () => number): number
  /** By so many places the objects have moved down by the end, as new ones come on top. */
  readonly shift?: number
  /** Every so many requests, half of them go through as many objects that are asked for at no other time. */
  readonly scans?: { readonly every: number; readonly objects: number }
}

const OBJECTS = 100_000
const REQUESTS = 1_500_000
const SEED = 20_261_121

/** A logarithmic normal law around 12 KiB. */
const middling = (random: () => number): number => Math.round(Math.min(3 * 2 ** 20, Math.max(200, 12_000 * Math.exp(1.6 * (random() + random() + random() + random() - 2) * Math.sqrt(3)))))
/** Pareto's law: a tail so heavy that few objects have most of the octets. */
const heavy = (random: () => number): number => Math.round(Math.min(32 * 2 ** 20, 2048 / (1 - random()) ** (1 / 1.2)))

const MADE: readonly Made[] = [
  { name: 'zipf', about: 'Zipf 0.9, three of ten asked for once', exponent: 0.9, once: 0.3 },
  { name: 'zipf-sized', about: 'likewise, of 0.2 KiB to 3 MiB', exponent: 0.9, once: 0.3, size: middling },
  { name: 'heavy', about: 'Zipf 0.8, two of ten once, of 2 KiB to 32 MiB by Pareto', exponent: 0.8, once: 0.2, size: heavy },
  { name: 'scanned', about: 'Zipf 1.0, one of ten once, of 0.2 KiB to 3 MiB, read through now and then', exponent: 1, once: 0.1, size: middling, scans: { every: 250_000, objects: 30_000 } },
  { name: 'moving', about: 'Zipf 0.9, two of ten once, of 0.2 KiB to 3 MiB, what is popular changes', exponent: 0.9, once: 0.2, size: middling, shift: 40_000 }
]

export const madeTraces = (): Trace[] => MADE.map((made) => number(made.name, made.about, asked(made)))

function* asked({ exponent, once, size, shift = 0, scans }: Made): Generator<readonly [key: number, size?: number]> {
  const random = randomFrom(SEED)
  const rank = zipf(exponent, random)
  const sizes = new Map<number, number>()
  let scanned = 0
  let left = 0
  for (let at = 0; at < REQUESTS; at++) {
    if (scans !== undefined && at % scans.every === scans.every / 2) left = scans.objects
    const isScan = left > 0 && random() < 0.5
    if (isScan) left--
    // What is asked for once or in passing has numbers below zero.
    const key = isScan ? -REQUESTS - ++scanned : random() < once ? -at - 1 : rank() - Math.floor((at / REQUESTS) * shift) + shift
    if (size === undefined) {
      yield [key]
      continue
    }
    let known = sizes.get(key)
    if (known === undefined) sizes.set(key, (known = size(random)))
    yield [key, known]
  }
}

/** Ranks from 0 up by Zipf's law. */
function zipf(exponent: number, random: () => number): () => number {
  const sums = new Float64Array(OBJECTS)
  let sum = 0
  for (let at = 0; at < OBJECTS; at++) sums[at] = sum += 1 / (at + 1) ** exponent
  return () => {
    const wanted = random() * sum
    let [low, high] = [0, OBJECTS - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sums[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Mulberry32: numbers from 0 to 1. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
