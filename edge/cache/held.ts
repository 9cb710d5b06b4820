import type { Varying } from './key.ts'
import type { Freshness } from './law.ts'

/** A body that lies on disk alone, being too large for memory. */
export interface BodyOnDisk {
  /** By what it is known there, beside its key: told at random for each, so that a head which outlived its body never meets another. */
  readonly token: number
  /** Octets of it. */
  readonly length: number
}

/** A response as held: its head rendered but for what changes with time. */
export interface StoredObject extends Freshness {
  readonly kind: 'object'
  readonly status: number
  /** Field lines, each with its CRLF, less those that are made anew for each answer. One character an octet. */
  readonly lines: string
  /** Empty where it lies on disk. */
  readonly body: Buffer
  readonly onDisk?: BodyOnDisk | undefined
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  /** Its Cache-Tag; empty when it has none. */
  readonly tags: string
  /** The number of the last purge when it was asked for, or was last held against them. */
  generation: number
  /** The head as last sent, up to the request id, and for which whole second of age: so that a hit renders nothing. */
  frame: string
  frameAge: number
  /** When it was last asked about behind an answer; milliseconds. */
  askedAt: number
}

/** Responses under this key differ by these request fields: look under the variant's key. */
export interface VaryMark extends Varying {
  readonly kind: 'vary'
}

/** What came last under this key could not be shared: until then, requests for it do not wait for one another. */
export interface PassMark {
  readonly kind: 'pass'
  readonly until: number
}

export type Held = StoredObject | VaryMark | PassMark

/** Octets of a response's body, wherever it lies. */
export const lengthOf = ({ body, onDisk }: Pick<StoredObject, 'body' | 'onDisk'>): number => (onDisk === undefined ? body.length : onDisk.length)

/** Where what is held is looked up. */
export interface Holder {
  get(key: string): Held | undefined
}
