import type { FieldList } from '../message/index.ts'

/** Where to send a request. */
export interface Server {
  readonly secure: boolean
  readonly address: string
  readonly port: number
  /** Name that its certificate must show, when `secure`. */
  readonly serverName?: string
  /** How long an idle connection to it is kept, in milliseconds. */
  readonly keepAliveMs?: number
}

export interface UpstreamRequest {
  readonly server: Server
  readonly method: string
  readonly path: string
  /** Host among them. */
  readonly fields: FieldList
  readonly connectMs: number
  /** Until the head of the response, and then between two pieces of its body. */
  readonly responseMs: number
  /**
   * Sent once and on a connection of its own, so that it cannot meet one that is just being closed: what may have an effect must not
   * have it twice (RFC 9110 §9.2.2). Its content, if it has one, is written to the Fetching.
   */
  readonly once?: boolean
}

/** `unreachable`: nothing was heard of it. `timeout`: not in time. `broken`: it ended in the middle of a response. */
export interface UpstreamTrouble {
  readonly kind: 'unreachable' | 'timeout' | 'broken'
  readonly detail: string
  /** Nothing of the request can have been understood: it may be sent elsewhere, whatever it asks for. */
  readonly unsent?: boolean
}

/** Hears how a fetch goes: `head`, then `data`s and `end`; or `trouble`, at any point, as the last. */
export interface Receiver {
  /** Of a request sent once: it is connected, and its content may be written. */
  connected?(): void
  /** There is room for more of the content. */
  drained?(): void
  /** An interim response (1xx) other than 100 and 101. */
  inform?(status: number, fields: FieldList): void
  /** With 101, where Upgrade was sent along with a request sent once, what follows both ways is of the other protocol. */
  head(status: number, fields: FieldList): void
  data(piece: Buffer): void
  end(): void
  trouble(trouble: UpstreamTrouble): void
}

/** Interim responses before the final one: each is passed on, however slowly the client takes them. */
export const MOST_INTERIM = 32
export const TOO_MANY_INTERIM: UpstreamTrouble = { kind: 'broken', detail: `it sent more than ${MOST_INTERIM} interim responses` }

/** A fetch under way. */
export interface Fetching {
  pause(): void
  resume(): void
  /** A piece of the request's content, which is copied; false when `drained` should be awaited before the next. */
  write(piece: Buffer): boolean
  /** The content is complete. */
  end(): void
  /** Ends it; the receiver hears nothing more. */
  abort(): void
}
