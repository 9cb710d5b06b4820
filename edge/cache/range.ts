import { parseHttpDate } from '../message/index.ts'
import type { Validators } from './conditional.ts'

/** Which octets of a whole are wanted, the last one included. */
export interface Range {
  readonly first: number
  readonly last: number
}

/**
 * The part of a stored response that a Range field asks for (RFC 9110 §14.1.2, §14.2).
 * @param value as received; another unit, several ranges and what is malformed are left out of account, which is always allowed
 * @param length of the whole, in octets
 * @returns undefined: answer with the whole; `unsatisfiable`: 416
 */
export function wantedRange(value: string, length: number): Range | 'unsatisfiable' | undefined {
  const [, from, to] = /^bytes=[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/i.exec(value) ?? []
  if (from === undefined || to === undefined || from + to === '') return undefined
  if (from === '') {
    if (Number(to) === 0 || length === 0) return 'unsatisfiable'
    return { first: Math.max(0, length - Number(to)), last: length - 1 }
  }
  const first = Number(from)
  if (to !== '' && Number(to) < first) return undefined
  if (first >= length) return 'unsatisfiable'
  return { first, last: to === '' ? length - 1 : Math.min(Number(to), length - 1) }
}

/**
 * Whether If-Range names what is held, so that a part of it is of use (RFC 9110 §13.1.5): only a strong validator will do, and a
 * date is one when it is older than the response by a second at least (§8.8.2.2).
 */
export function rangeHolds(validators: Validators, ifRange: string, now: number): boolean {
  return ifRange.startsWith('"') ? ifRange === validators.etag : ifRange === validators.lastModified && isStrongDate(validators, now)
}

/** Whether Last-Modified stands for these octets and no others (RFC 9110 §8.8.2.2). */
export function isStrongDate({ lastModified, date }: Validators, now: number): boolean {
  const modified = parseHttpDate(lastModified ?? '', now)
  const made = parseHttpDate(date ?? '', now)
  return modified !== undefined && made !== undefined && made - modified >= 1000
}
