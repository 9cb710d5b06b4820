import type { Route } from './include.ts'

// Whoever speaks BGP for us, as the rest sees it.

/** One session, and what is sent over it. */
export interface SessionView {
  readonly name: string
  /** `Established`, or what is in the way. */
  readonly state: string
  readonly isEstablished: boolean
  readonly neighbour?: string
  readonly neighbourAs?: number
  /** Prefixes of ours that are sent, and how. */
  readonly sent: readonly { readonly prefix: string; readonly isDemoted: boolean }[]
}

export interface SpeakerView {
  /** `BIRD 2.0.12`, `ExaBGP`. */
  readonly what: string
  /** It answers. */
  readonly isThere: boolean
  /** Wall time at which it was last told something, and at which it last told what it sends. */
  readonly toldAt?: number
  readonly readAt?: number
  readonly sessions: readonly SessionView[]
  /** What is not as intended, a line each. */
  readonly alarms: readonly string[]
}

/** Owns a connection or a pipe, and a timer. */
export interface Speaker {
  /** This is what is to be announced; it is brought about as soon as possible, and kept so. Resolves when that has been tried. */
  carry(routes: readonly Route[]): Promise<void>
  /** Looks whether it is still so. Never rejects. */
  look(): Promise<void>
  /** Another process of ours has had the announcements: what it left is nobody's tampering, and everything is told anew. */
  takeOver(): void
  view(): SpeakerView
  close(): void
}
