import { createHash, randomFillSync, timingSafeEqual } from 'node:crypto'
import { makeHmac } from './hmac.ts'

// Members of a fleet prove to each other that they are of it. A request carries a proof bound to the time, to a nonce and to what
// it asks for; the response one bound to that nonce and to its status. Whoever replays a GET or HEAD within the window gets
// what it got; what may have an effect is taken once. The bodies are covered only where both sides say so (`body`): on a path
// where others may be altered, use TLS.

/** The field that carries a proof, both ways. */
export const TIER_FIELD = 'x-nearcast-tier'

/** How far the clocks of two tiers may be apart, in milliseconds. */
const WINDOW = 30_000
/** Octets of a nonce. */
const NONCE = 12

export interface Asking {
  readonly method: string
  readonly host: string
  readonly target: string
}

export interface TierAuth {
  /** The proof that goes with a request, and its nonce. */
  prove(asking: Asking, now: number): { readonly value: string; readonly nonce: string }
  /** The nonce of a request that comes from a tier of this fleet; undefined for any other. */
  accept(value: string | undefined, asking: Asking, now: number): string | undefined
  /** The proof that goes with the response. @param body the whole of it, where it is to be covered */
  answer(nonce: string, status: number, body?: string): string
  /** Whether a response comes from a tier of this fleet and answers this request. */
  isAnswer(value: string | undefined, nonce: string, status: number, body?: string): boolean
}

/** @param secret 64 hexadecimal digits, the same in the whole fleet */
export function makeTierAuth(secret: string): TierAuth {
  const key = Buffer.from(secret, 'hex')
  if (key.length < 16) throw new Error('the secret of the tiers is too short')
  const sign = makeHmac(key)
  const ofRequest = (time: string, nonce: string, asking: Asking): string => sign(`request\n${time}\n${nonce}\n${asking.method}\n${asking.host}\n${asking.target}`)
  const ofResponse = (nonce: string, status: number, body?: string): string => sign(`response\n${nonce}\n${status}${body === undefined ? '' : `\n${digest(body)}`}`)
  const isFirst = makeOnce()
  const nextNonce = makeNonces()
  return {
    prove(asking, now) {
      const time = String(now)
      const nonce = nextNonce()
      return { value: `${time}.${nonce}.${ofRequest(time, nonce, asking)}`, nonce }
    },
    accept(value, asking, now) {
      const match = /^(\d{1,15})\.([0-9a-f]{24})\.([0-9a-f]{64})$/.exec(value ?? '')
      if (match === null || Math.abs(now - Number(match[1])) > WINDOW) return undefined
      const nonce = match[2]!
      if (!same(match[3]!, ofRequest(match[1]!, nonce, asking))) return undefined
      return asking.method === 'GET' || asking.method === 'HEAD' || isFirst(nonce, now) ? nonce : undefined
    },
    answer: ofResponse,
    isAnswer: (value, nonce, status, body) => value !== undefined && same(value, ofResponse(nonce, status, body))
  }
}

/** Random octets are had for many at once: to ask for them costs more than to have them. */
function makeNonces(): () => string {
  const octets = Buffer.alloc(NONCE * 256)
  let at = octets.length
  return () => {
    if (at === octets.length) {
      randomFillSync(octets)
      at = 0
    }
    at += NONCE
    return octets.toString('hex', at - NONCE, at)
  }
}

const digest = (body: string): string => createHash('sha256').update(body, 'utf8').digest('hex')

/** Tells whether a nonce comes for the first time: it is remembered for as long as its proof could hold. */
function makeOnce(): (nonce: string, now: number) => boolean {
  let recent = new Set<string>()
  let older = new Set<string>()
  let since = 0
  return (nonce, now) => {
    if (Math.abs(now - since) > 2 * WINDOW) {
      older = recent
      recent = new Set()
      since = now
    }
    if (recent.has(nonce) || older.has(nonce)) return false
    recent.add(nonce)
    return true
  }
}

/** Compares in a time that does not tell where they differ. */
function same(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one, 'latin1'), Buffer.from(other, 'latin1'))
}
