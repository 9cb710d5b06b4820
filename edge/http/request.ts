import type { FieldName } from './grammar.ts'

/** A request's head, checked. */
export interface RequestHead {
  readonly method: string
  /** Path and query; begins with `/`, or is `*` for OPTIONS and an authority for CONNECT. */
  readonly target: string
  /** In lower case, without port and final dot; empty when an HTTP/1.0 client sent none. */
  readonly host: string
  /** The minor version: HTTP/1.0 or HTTP/1.1 (which stands for later minor versions too). */
  readonly minor: 0 | 1
  /** The client lets the connection live after this request. */
  readonly keepAlive: boolean
  /** Octets of the content that follows; 0 for none. */
  readonly content: number | 'chunked'
  /** `Connection: upgrade` was said: what Upgrade names is meant for us. */
  readonly upgrades: boolean
  /** The head as received, one character an octet; `spans` points into it. */
  readonly text: string
  /** Five numbers a field: hash of the name in lower case, start and end of the name, start and end of the value. */
  readonly spans: readonly number[]
}

/** Why a request head is not taken; the connection ends with this answer. */
export interface Refusal {
  readonly status: 400 | 408 | 413 | 414 | 431 | 501 | 505
  readonly reason: string
}

const equals = (head: RequestHead, at: number, name: FieldName): boolean =>
  head.spans[at] === name.hash && head.text.slice(head.spans[at + 1], head.spans[at + 2]).toLowerCase() === name.text

/** The value of a field, its lines joined by `, `; undefined when it is absent. */
export function requestField(head: RequestHead, name: FieldName): string | undefined {
  const { spans } = head
  let value: string | undefined
  for (let at = 0; at < spans.length; at += 5) {
    if (spans[at] !== name.hash || !equals(head, at, name)) continue
    const line = head.text.slice(spans[at + 3], spans[at + 4])
    value = value === undefined ? line : `${value}, ${line}`
  }
  return value
}

/** Whether any of these fields may be there, found in one pass: true is sometimes said of another field with the same hash. */
export function mayHaveField(head: RequestHead, hashes: ReadonlySet<number>): boolean {
  const { spans } = head
  for (let at = 0; at < spans.length; at += 5) if (hashes.has(spans[at]!)) return true
  return false
}

/** Every field, name and value in turn. */
export function requestFields(head: RequestHead): string[] {
  const fields: string[] = []
  for (let at = 0; at < head.spans.length; at += 5) {
    fields.push(head.text.slice(head.spans[at + 1], head.spans[at + 2]), head.text.slice(head.spans[at + 3], head.spans[at + 4]))
  }
  return fields
}
