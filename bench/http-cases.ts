import { makeRandom } from '../test/helpers/random.ts'

const MEBIBYTE = 1024 * 1024

/** One kind of request, asked over and over. */
export interface Repeated {
  readonly kind: 'repeated'
  readonly title: string
  /** Octets of the object. */
  readonly size: number
  readonly over: 'HTTP/1.1' | 'TLS' | 'HTTP/2'
  readonly clients: number
  /** A field that is sent along. */
  readonly field?: string
  /** Requests a second that are offered, whoever answers; absent: the next leaves when an answer has come. */
  readonly rate?: number
}

/** Many objects, each request another one or as Zipf's law has it: as many requests for all. */
export interface Drawn {
  readonly kind: 'drawn'
  readonly title: string
  readonly size: number
  readonly over: 'HTTP/1.1'
  readonly clients: number
  /** Tiers that each miss passes. */
  readonly tiers: 1 | 2
  /** Requests before anything is measured, and of each round. */
  readonly before: number
  readonly each: number
  /** The number of the object that is asked for. */
  draws(): () => number
}

export type Case = Repeated | Drawn

/** Requests at once on a connection of HTTP/2. */
export const STREAMS = 8
const OBJECTS = 1_000_000
const ZIPF = 0.9

const hit = { kind: 'repeated', over: 'HTTP/1.1', clients: 64 } as const
export const CASES: readonly Case[] = [
  { ...hit, title: '1 KiB', size: 1024 },
  { ...hit, title: '1 KiB, 6,000 a second', size: 1024, rate: 6000 },
  { ...hit, title: '100 KiB', size: 100 * 1024 },
  { ...hit, title: '10 MiB', size: 10 * MEBIBYTE, clients: 4 },
  { ...hit, title: '304 to If-None-Match', size: 1024, field: 'If-None-Match: "1024"' },
  { ...hit, title: '1 KiB over TLS 1.3', size: 1024, over: 'TLS' },
  { ...hit, title: '1 KiB over HTTP/2', size: 1024, over: 'HTTP/2', clients: 8 },
  { kind: 'drawn', title: '1,000,000 objects of 1 KiB by Zipf 0.9', size: 1024, over: 'HTTP/1.1', clients: 64, tiers: 1, before: 60_000, each: 20_000, draws: () => zipf(OBJECTS, ZIPF) },
  { kind: 'drawn', title: '1 KiB missed by two tiers', size: 1024, over: 'HTTP/1.1', clients: 16, tiers: 2, before: 4000, each: 6000, draws: counting }
]

/** What several workers are asked for: what is asked of one alone, of all alike, and as viewers ask. */
export const WORKER_CASES: readonly Case[] = [
  { ...hit, title: 'one object of 1 KiB', size: 1024 },
  { kind: 'drawn', title: '1,000 objects of 1 KiB, all alike', size: 1024, over: 'HTTP/1.1', clients: 64, tiers: 1, before: 60_000, each: 60_000, draws: () => evenly(1000) },
  { kind: 'drawn', title: '1,000,000 objects of 1 KiB by Zipf 0.9', size: 1024, over: 'HTTP/1.1', clients: 64, tiers: 1, before: 60_000, each: 30_000, draws: () => zipf(OBJECTS, ZIPF) },
  { ...hit, title: 'one object of 1 MiB', size: MEBIBYTE, clients: 8 }
]

function evenly(count: number): () => number {
  const random = makeRandom(1)
  return () => random.below(count)
}

function counting(): () => number {
  let last = 0
  return () => last++
}

/** Draws ranks from 0 up by Zipf's law, the same at each run. */
export function zipf(count: number, exponent: number): () => number {
  const random = makeRandom(1)
  const sums = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank++) sums[rank] = sum += 1 / (rank + 1) ** exponent
  return () => {
    const wanted = (random.below(1 << 30) / (1 << 30)) * sum
    let [low, high] = [0, count - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sums[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return low
  }
}
