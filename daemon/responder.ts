import { makeAnswerer, type Answerer } from './answer.ts'
import { COUNT, type Gate } from './answer/index.ts'
import { makeGate, withKeys, type Rules } from './exchange/index.ts'
import { makeRateLimiter, VERDICT, type Buckets, type RateLimits } from './limits/index.ts'
import { makeReclaimer } from './reclaim.ts'
import type { Reports, Responder, Source } from './serve/index.ts'
import { withViews } from './view-answers.ts'
import { openWorld, type WorldImage } from './world.ts'
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/trouble.ts'

// What a serving thread answers with: the module that daemon/serve is given by its address.

export interface ResponderData {
  /** Slots of this thread's answerer, read by the main thread. */
  readonly counters: Float64Array
  readonly tally?: Int32Array
  readonly serverId?: string
  readonly version?: string
  readonly cookies?: 'on' | 'enforced'
  readonly payload?: number
  readonly idleMs?: number
  readonly hasMinimalAny?: boolean
  readonly seed: number
  /** Absent: answers are not limited. The buckets are the same for all threads. */
  readonly rateLimit?: { readonly limits: RateLimits; readonly buckets: Buckets }
  /** Absent: nothing is handed over. */
  readonly rules?: Rules
}

/** Octets of answers kept ready of one view, in each thread. */
const VIEW_PREPARED = 2 << 20
/** Of so many faults of ours one is logged: whoever finds a query that brings one about sends many. */
const LOGGED = 1000

/** Opens an answerer over a world that has come from another thread. */
export function openResponder(data: unknown, world: unknown, { trouble, notice }: Reports): Responder {
  const first = world as WorldImage
  let current = openWorld(first)
  const { rateLimit, cookies, rules, ...own } = data as ResponderData
  let [faults, ring] = [0, first.tsig?.number]
  let gate = gateOf(rules, first)
  const onError = (error: unknown, question: string): void => {
    if (faults++ % LOGGED === 0) trouble(`${question} was answered SERVFAIL: ${error instanceof Error ? error.stack : messageOf(error)}`)
  }
  const jar = cookies !== undefined && { cookies: { isEnforced: cookies === 'enforced', clock: systemClock } }
  const main = makeAnswerer({ ...own, ...(gate !== undefined && { gate: (...message: Parameters<Gate>) => gate!(...message) }), ...jar, world: current, onError })
  const { tally: _, ...alike } = own
  const { answerer, useViews } = withViews(main, first.views ?? [], (world, counters) => makeAnswerer({ ...alike, ...jar, counters, world, preparedSize: VIEW_PREPARED, onError }))
  const reclaim = makeReclaimer()
  reclaim(first.zones)
  return {
    ...(rateLimit === undefined ? { answer: answerer.answer, decline: answerer.decline } : limited(answerer, rateLimit, own.seed, notice)),
    expect: answerer.expect,
    use: (next) => {
      const image = next as WorldImage
      current = openWorld(image, current)
      main.use(current)
      useViews(image)
      if (image.tsig?.number !== ring) gate = gateOf(rules, image)
      ring = image.tsig?.number
      reclaim(image.zones)
    }
  }
}

const gateOf = (rules: Rules | undefined, { tsig }: WorldImage): Gate | undefined => rules && makeGate(tsig === undefined ? rules : withKeys(rules, tsig))

/** Answers over UDP no more often than the limits allow. */
function limited(answerer: Answerer, { limits, buckets }: NonNullable<ResponderData['rateLimit']>, seed: number, notice: Reports['notice']): Pick<Responder, 'answer' | 'decline' | 'tick'> {
  const { answer, decline, truncate, counters } = answerer
  const limiter = makeRateLimiter(limits, buckets, seed, ({ prefix, what }) => {
    notice(`rate limit: ${what} to ${prefix} are ${limits.logOnly ? 'more than allowed (only logged)' : 'withheld'}`)
  })
  const asked = { isUdp: false, source: { family: 4, bytes: new Uint8Array(4), at: 0 } as Readonly<Source>, out: new Uint8Array(0) as Uint8Array, outStart: 0 }
  const limit = (size: number): number => {
    // A cookie shows that the address is not forged: whoever would be flooded asks itself (RFC 7873 §5.2.5).
    if (size <= 0 || !asked.isUdp || answerer.client.hasCookie) return size
    const { last } = answerer
    const verdict = limiter.judge(asked.source, last.query, last.finding.shared, asked.out, asked.outStart, size)
    if (verdict === VERDICT.PASS) return size
    counters[COUNT.OVER_RATE]!++
    if (verdict === VERDICT.NOTED) return size
    if (verdict === VERDICT.DROP) {
      counters[COUNT.DROPPED]!++
      return 0
    }
    counters[COUNT.SLIPPED]!++
    return truncate()
  }
  return {
    tick: limiter.tick,
    answer: (query, start, length, source, transport, out, outStart, outSize) => {
      asked.isUdp = transport === 'udp'
      asked.source = source
      asked.out = out
      asked.outStart = outStart
      return limit(answer(query, start, length, source, transport, out, outStart, outSize))
    },
    decline: () => limit(decline())
  }
}
