import { listMembers, parseHttpDate } from '../message/index.ts'

/** By what a response is told from an earlier or later one (RFC 9110 §8.8). */
export interface Validators {
  readonly etag?: string | undefined
  /** Last-Modified as received. */
  readonly lastModified?: string | undefined
  /** Date as received: stands in where there is no Last-Modified (RFC 9111 §4.3.2). */
  readonly date?: string | undefined
}

const weak = (tag: string): string => (tag.startsWith('W/') ? tag.slice(2) : tag)

/** Weak comparison (RFC 9110 §8.8.3.2). */
const sameWeakly = (one: string, other: string): boolean => weak(one) === weak(other)

/**
 * Whether the client has it already: the answer is 304 (RFC 9110 §13.1.2, §13.1.3, §13.2.2).
 * @param ifNoneMatch wins over `ifModifiedSince`
 */
export function isNotModified(validators: Validators, ifNoneMatch: string | undefined, ifModifiedSince: string | undefined, now: number): boolean {
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch.trim() === '*') return true
    const { etag } = validators
    return etag !== undefined && (ifNoneMatch === etag || listMembers(ifNoneMatch).some((tag) => sameWeakly(tag, etag)))
  }
  const { lastModified = validators.date } = validators
  if (ifModifiedSince === undefined || lastModified === undefined) return false
  const since = parseHttpDate(ifModifiedSince, now)
  const modified = parseHttpDate(lastModified, now)
  return since !== undefined && modified !== undefined && modified <= since
}
