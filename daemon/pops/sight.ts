import { createHash } from 'node:crypto'
import type { Plan, Verdict } from '../../healthchecks/index.ts'

/** What one vantage point sees of one target. */
export interface Sight {
  readonly name: string
  readonly verdict: Verdict
  /** A failure is being confirmed. */
  readonly isSuspect: boolean
  /** It runs the target: it knows its process. */
  readonly isRunner: boolean
  /** The process has ended, hangs or was stopped, and it has not been found up since: known, not seen. Only where `isRunner`. */
  readonly isGone: boolean
  /** Wall time, milliseconds, and in a few words. */
  readonly since: number
  readonly why: string
}

const VERDICTS: readonly Verdict[] = ['UNKNOWN', 'UP', 'DOWN']
const SUSPECT = 4
const RUNNER = 8
const GONE = 16
const HEAD = 10
const LONGEST_NAME = 64
const LONGEST_WHY = 160

/**
 * The key under which a target is compared: 32 hexadecimal digits that are the same where its name and all that is asked of it are,
 * whatever the check is called and however often and patiently it asks.
 */
export function keyOfTarget(name: string, plan: Plan): string {
  return createHash('sha256').update(`nearcast target\0${name}\0${canonical(askedBy(plan))}`).digest('hex').slice(0, 32)
}

function askedBy({ inverted, disabled, what }: Plan): unknown {
  return { inverted, disabled, ...('of' in what ? { of: what.of.map(askedBy), atLeast: what.atLeast } : { spec: what.probe.spec }) }
}

/** JSON with the keys of every object in order; of authorities only that there is one, for each machine has its own file. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (name, part: unknown) => (name === 'authority' ? true : typeof part === 'object' && part !== null && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1))) : part)) ?? ''
}

/** Bits, time, name and reason: 1 + 8 + 1 + n octets and the rest. */
export function writeSight({ name, verdict, isSuspect, isRunner, isGone, since, why }: Sight): Uint8Array {
  const shown = cut(name, LONGEST_NAME)
  const out = Buffer.alloc(HEAD + shown.length)
  out[0] = VERDICTS.indexOf(verdict) | (isSuspect ? SUSPECT : 0) | (isRunner ? RUNNER : 0) | (isGone ? GONE : 0)
  out.writeDoubleBE(since, 1)
  out[9] = shown.length
  shown.copy(out, HEAD)
  return Buffer.concat([out, cut(why, LONGEST_WHY)])
}

/** Undefined for what is no sight. */
export function readSight(octets: Uint8Array): Sight | undefined {
  const from = Buffer.from(octets.buffer, octets.byteOffset, octets.length)
  const nameEnd = HEAD + (from[9] ?? 0)
  const verdict = VERDICTS[(from[0] ?? 3) & 3]
  if (from.length < HEAD || nameEnd > from.length || verdict === undefined || from[0]! >= 32) return undefined
  const since = from.readDoubleBE(1)
  const bit = (mask: number): boolean => (from[0]! & mask) !== 0
  const isRunner = bit(RUNNER)
  return {
    verdict, isSuspect: bit(SUSPECT), isRunner, isGone: isRunner && bit(GONE), since: Number.isFinite(since) ? since : 0,
    name: plain(from.toString('utf8', HEAD, nameEnd)), why: plain(from.toString('utf8', nameEnd, nameEnd + LONGEST_WHY))
  }
}

/** At most so many octets of UTF-8, and no half characters. */
function cut(text: string, most: number): Buffer {
  let octets = Buffer.from(text)
  for (let letters = [...text]; octets.length > most; octets = Buffer.from(letters.join(''))) letters = letters.slice(0, Math.min(letters.length - 1, most))
  return octets
}

/** Without control characters: it is shown on terminals. */
const plain = (text: string): string => text.replace(/\p{Cc}/gu, ' ')
