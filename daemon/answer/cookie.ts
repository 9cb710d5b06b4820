import { sipHash24, sipHashKey, type Query } from '../wire/index.ts'

// DNS cookies (RFC 7873) whose server part is made as RFC 9018 §4 has it, so that every server of an anycast set that
// knows the same secret takes the cookies of the others. Nothing is kept of a client, and nothing is allocated.

/** What came of a client's COOKIE option. */
export const COOKIE = {
  /** It sent none, or cookies are off. */
  ABSENT: 0,
  /** It has no server cookie of ours that holds: it is not known to be where it says it is. */
  UNPROVEN: 1,
  /** It received an answer of ours at its address within the last hour. */
  VALID: 2
} as const

/** Octets of a COOKIE option as we send it: the client's 8, and 16 of ours. */
export const COOKIE_OCTETS = 24
const CLIENT = 8
const SERVER = 16
const VERSION = 1
/** Seconds (RFC 9018 §4.3): a cookie holds for so long, may be so far ahead of our clock, and is renewed past this age. */
const LIFETIME = 3600
const AHEAD = 300
const RENEWED = 1800

/** Makes and checks cookies. One of its own for each thread. */
export interface CookieJar {
  /** The first makes cookies; all of them are accepted. */
  keys: readonly Int32Array[]
  /** What goes into the answer, of COOKIE_OCTETS octets. */
  readonly sent: Uint8Array
  /** What is hashed: both cookies up to the hash, and the client's address (RFC 9018 §4.4); then zeros. */
  readonly input: Uint8Array
  readonly words: Int32Array
  readonly hash: Int32Array
  readonly hashOctets: Uint8Array
}

export function makeCookieJar(): CookieJar {
  const input = new Uint8Array(48)
  const hash = new Int32Array(2)
  return { keys: [], sent: new Uint8Array(COOKIE_OCTETS), input, words: new Int32Array(input.buffer), hash, hashOctets: new Uint8Array(hash.buffer) }
}

/** @param secrets 16 octets each; none turns cookies off */
export function useSecrets(jar: CookieJar, secrets: readonly Uint8Array[]): void {
  jar.keys = secrets.map(sipHashKey)
}

/**
 * Judges the COOKIE option of a query and fills `sent` with the one that goes back.
 * @param octets of the address the query came from, at bytes[at…]
 * @param now seconds since 1970, of which the lower 32 bits count
 */
export function judgeCookie(jar: CookieJar, packet: Uint8Array, query: Query, address: Uint8Array, at: number, octets: 4 | 16, now: number): number {
  const { keys, sent, input } = jar
  const { cookieAt, cookieLength } = query
  for (let octet = 0; octet < CLIENT; octet++) input[octet] = packet[cookieAt + octet]!
  for (let octet = 0; octet < octets; octet++) input[16 + octet] = address[at + octet]!
  input.fill(0, 16 + octets)
  let key = -1
  let age = 0
  if (cookieLength === CLIENT + SERVER && packet[cookieAt + CLIENT] === VERSION) {
    for (let octet = CLIENT; octet < 16; octet++) input[octet] = packet[cookieAt + octet]!
    age = (now - ((input[12]! << 24) | (input[13]! << 16) | (input[14]! << 8) | input[15]!)) | 0
    if (age <= LIFETIME && age >= -AHEAD) key = findKey(jar, packet, cookieAt + 16, octets)
  }
  if (key !== 0 || age > RENEWED || age < 0) {
    input[8] = VERSION
    input[9] = input[10] = input[11] = 0
    input[12] = now >>> 24
    input[13] = now >>> 16
    input[14] = now >>> 8
    input[15] = now
    sipHash24(keys[0]!, jar.words, 16 + octets, jar.hash)
  }
  for (let octet = 0; octet < 16; octet++) sent[octet] = input[octet]!
  for (let octet = 0; octet < 8; octet++) sent[16 + octet] = jar.hashOctets[octet]!
  return key < 0 ? COOKIE.UNPROVEN : COOKIE.VALID
}

/** The key under which the hash at packet[at…] is that of what is to be hashed, or -1. */
function findKey({ keys, words, hash, hashOctets }: CookieJar, packet: Uint8Array, at: number, octets: number): number {
  for (let key = 0; key < keys.length; key++) {
    sipHash24(keys[key]!, words, 16 + octets, hash)
    let differs = 0
    for (let octet = 0; octet < 8; octet++) differs |= hashOctets[octet]! ^ packet[at + octet]!
    if (differs === 0) return key
  }
  return -1
}
