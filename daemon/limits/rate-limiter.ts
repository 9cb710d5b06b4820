import { ipv4Number, formatAddress, type Prefix } from '../../core/address.ts'
import { CLASS, RCODE, TYPE, type Query } from '../wire/index.ts'
import { hash, intervalOf, STATE, take, TICKS_PER_MS, type Buckets } from './buckets.ts'
import { isExempt, makeExempt } from './exempt.ts'

/** What is allowed; plain values, the same for every thread. Rates are answers per second; 0: not limited. */
export interface RateLimits {
  /** Everything is counted, nothing withheld. */
  readonly logOnly: boolean
  /** To one prefix: the same name and type, or the same wildcard and type. */
  readonly responses: number
  /** To one prefix: that a name has not the type. */
  readonly nodata: number
  /** To one prefix: that names of one zone do not exist. */
  readonly nxdomain: number
  /** To one prefix: to the same delegation. */
  readonly referrals: number
  /** To one prefix: any error. */
  readonly errors: number
  /** To one prefix: to ANY, whatever the name. */
  readonly any: number
  /** To one prefix: answers of `largeSize` octets and more, whatever the name; and to all together. */
  readonly large: number
  readonly largeTotal: number
  readonly largeSize: number
  /** To one prefix: all of them together. */
  readonly all: number
  /** How far what is over may count against a client, in milliseconds. */
  readonly windowMs: number
  /** Of so many answers withheld one is sent truncated, by chance; 1: each; 0: none. */
  readonly slip: number
  readonly ipv4Prefix: number
  /** At most 64. */
  readonly ipv6Prefix: number
  readonly exempt: readonly Prefix[]
}

/** SLIP: send it truncated and empty, so that whoever asked in earnest asks again over TCP. NOTED: it is too much, and passes all the same. */
export const VERDICT = { PASS: 0, SLIP: 1, DROP: 2, NOTED: 3 } as const

/** What has just come to be limited, for the log. */
export interface Limited {
  /** Such as 192.0.2.0/24. */
  readonly prefix: string
  readonly what: string
}

export interface RateLimiter {
  /** The time in milliseconds, of a clock that all threads share. */
  tick(now: number): void
  /**
   * What becomes of a reply over UDP.
   * @param shared labels that all names with this answer have in common, counted from the root
   */
  judge(source: { readonly family: 4 | 6; readonly bytes: Uint8Array; readonly at: number }, query: Query, shared: number, reply: Uint8Array, start: number, length: number): number
}

/** Longer would not fit into 32 bits of time. */
const LONGEST_WINDOW_MS = 3_600_000

const KINDS = ['responses', 'nodata', 'nxdomain', 'referrals', 'errors', 'any', 'large', 'all', 'largeTotal'] as const
const KIND = { RESPONSE: 0, NODATA: 1, NXDOMAIN: 2, REFERRAL: 3, ERROR: 4, ANY: 5, LARGE: 6, ALL: 7, LARGE_TOTAL: 8 } as const
const WHAT = ['answers', 'answers without data', 'NXDOMAIN', 'referrals', 'errors', 'answers to ANY', 'large answers', 'all answers', 'large answers to all']

/** @param onLimited told when a bucket overflows; whoever says it further must see to it that it is not said too often */
export function makeRateLimiter(limits: RateLimits, buckets: Buckets, seed: number, onLimited: (limited: Limited) => void): RateLimiter {
  const intervals = KINDS.map((name) => (limits[name] === 0 ? 0 : intervalOf(limits[name])))
  const window = Math.min(limits.windowMs, LONGEST_WINDOW_MS) * TICKS_PER_MS
  const exempt = makeExempt(limits.exempt)
  const mask4 = limits.ipv4Prefix === 0 ? 0 : -1 << (32 - limits.ipv4Prefix)
  const high6 = limits.ipv6Prefix === 0 ? 0 : limits.ipv6Prefix >= 32 ? -1 : -1 << (32 - limits.ipv6Prefix)
  const low6 = limits.ipv6Prefix <= 32 ? 0 : limits.ipv6Prefix >= 64 ? -1 : -1 << (64 - limits.ipv6Prefix)
  let now = 0
  let random = seed | 1
  let high = 0
  let low = 0
  let family: 4 | 6 = 4

  /** Whether one more of a kind is too much. */
  const isOver = (kind: number, name: number, type: number): boolean => {
    const interval = intervals[kind]!
    if (interval === 0) return false
    const state = take(buckets, hash(buckets, high, low, (kind << 24) | (family << 16) | type, name), now, interval, window)
    if (state === STATE.JUST_OVER) onLimited({ prefix: kind === KIND.LARGE_TOTAL ? 'all' : prefixText(limits, family, high, low), what: WHAT[kind]! })
    return state !== STATE.WITHIN
  }
  const isOverForAll = (): boolean => {
    high = low = 0
    family = 4
    return isOver(KIND.LARGE_TOTAL, 0, 0)
  }
  const chance = (): number => {
    random ^= random << 13
    random ^= random >>> 17
    random ^= random << 5
    return random >>> 0
  }
  return {
    tick: (milliseconds) => {
      now = (milliseconds * TICKS_PER_MS) | 0
    },
    judge: (source, query, shared, reply, start, length) => {
      const { bytes, at } = source
      if (isExempt(exempt, source.family, bytes, at)) return VERDICT.PASS
      family = source.family
      high = ipv4Number(bytes, at) & (family === 4 ? mask4 : high6)
      low = family === 4 ? 0 : ipv4Number(bytes, at + 4) & low6
      const kind = kindOf(query, reply, start)
      const { name } = query
      const common = query.class === CLASS.IN ? Math.min(shared, name.labels) : name.labels
      let isWithheld = isOver(kind, kind === KIND.ERROR || kind === KIND.ANY ? 0 : name.hashes[name.labels - common]!, kind === KIND.RESPONSE ? query.type : 0)
      let isLarge = false
      if (intervals[KIND.ALL] !== 0) isWithheld = isOver(KIND.ALL, 0, 0) || isWithheld
      if (length >= limits.largeSize) {
        isLarge = isOver(KIND.LARGE, 0, 0)
        isLarge = isOverForAll() || isLarge
      }
      if (!isWithheld && !isLarge) return VERDICT.PASS
      if (limits.logOnly) return VERDICT.NOTED
      // An error has no truncated form; what is only too large costs little when it is truncated.
      const slips = !isWithheld || (kind !== KIND.ERROR && limits.slip > 0 && chance() % limits.slip === 0)
      return slips ? VERDICT.SLIP : VERDICT.DROP
    }
  }
}

/** What sort of answer a reply is, as its octets tell. */
function kindOf(query: Query, reply: Uint8Array, start: number): number {
  const rcode = reply[start + 3]! & 15
  if (rcode === RCODE.NXDOMAIN) return KIND.NXDOMAIN
  if (rcode !== RCODE.NOERROR) return KIND.ERROR
  if (query.type === TYPE.ANY) return KIND.ANY
  if ((reply[start + 6]! | reply[start + 7]!) !== 0 || (reply[start + 2]! & 2) !== 0) return KIND.RESPONSE
  // Neither answer nor authority: an RCODE whose upper bits stand in the OPT.
  if ((reply[start + 8]! | reply[start + 9]!) === 0) return KIND.ERROR
  return (reply[start + 2]! & 4) === 0 ? KIND.REFERRAL : KIND.NODATA
}

function prefixText({ ipv4Prefix, ipv6Prefix }: RateLimits, family: 4 | 6, high: number, low: number): string {
  const bytes = new Uint8Array(family === 4 ? 4 : 16)
  const view = new DataView(bytes.buffer)
  view.setInt32(0, high)
  if (family === 6) view.setInt32(4, low)
  return `${formatAddress(bytes)}/${family === 4 ? ipv4Prefix : ipv6Prefix}`
}
