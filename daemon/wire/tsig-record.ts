import { createHmac, type Hmac, type KeyObject } from 'node:crypto'
import { LONGEST_NAME } from './name.ts'
import { LOWER } from './scan.ts'
import { CLASS, TYPE } from './types.ts'
import { expandName, pastName } from './unpack.ts'

// The TSIG record and what its MAC is made over (RFC 8945 §4); tsig.ts signs and judges with it.

/** A secret that two servers share. It stays inside its KeyObject, which no log and no JSON shows. */
export interface TsigKey {
  /** Wire form, lower case. */
  readonly name: Uint8Array
  readonly algorithm: TsigAlgorithm
  readonly secret: KeyObject
}

export interface TsigAlgorithm {
  /** Wire form, lower case. */
  readonly name: Uint8Array
  readonly hash: 'sha256' | 'sha384' | 'sha512'
  /** Of a whole MAC. */
  readonly octets: number
}

/** By name: text in lower case with its final dot. */
export type TsigKeys = ReadonlyMap<string, TsigKey>

/** The keys of this moment. */
export interface KeyRing {
  /** Another number, other keys. */
  readonly number: number
  readonly keys: TsigKeys
  /** Names of those that may transfer every zone. */
  readonly everyZone: readonly string[]
}

/** The algorithms that are taken, by the names that key files call them (RFC 8945 §6). */
export const ALGORITHMS: ReadonlyMap<string, TsigAlgorithm> = new Map(
  (['sha256', 'sha384', 'sha512'] as const).map((hash) => {
    const name = `hmac-${hash}`
    return [name, { name: Uint8Array.of(name.length, ...Buffer.from(name), 0), hash, octets: Number(hash.slice(3)) / 8 }]
  })
)

/** Error codes of the TSIG record (RFC 8945 §3, §5.2); its message has RCODE NOTAUTH. */
export const TSIG_ERROR = { NONE: 0, BADSIG: 16, BADKEY: 17, BADTIME: 18, BADTRUNC: 22 } as const

/** Seconds that clocks may be apart (RFC 8945 §10). */
export const FUDGE = 300

/** A TSIG record as it stands at the end of a message. */
export interface Tsig {
  /** Where the record begins. */
  readonly at: number
  /** Wire form, lower case. */
  readonly keyName: Uint8Array
  readonly algorithm: Uint8Array
  /** Seconds since the epoch. */
  readonly time: number
  readonly fudge: number
  readonly mac: Uint8Array
  readonly originalId: number
  readonly error: number
  readonly other: Uint8Array
}

/** Octets that signing adds to a message. */
export function signatureOctets(key: TsigKey): number {
  return key.name.length + 10 + key.algorithm.name.length + 10 + key.algorithm.octets + 6
}

export const MALFORMED = 'malformed'

/**
 * The TSIG record of a message: the last of its additional section, and the only one (RFC 8945 §5.1).
 * @returns undefined when there is none; 'malformed' when there is one elsewhere or of another form, or the message cannot be read
 */
export function findTsig(message: Uint8Array): Tsig | 'malformed' | undefined {
  if (message.length < 12) return MALFORMED
  const count = (at: number): number => (message[at]! << 8) | message[at + 1]!
  let at = 12
  for (let left = count(4); left > 0; left--) {
    at = pastName(message, at) + 4
    if (at > message.length) return MALFORMED
  }
  for (let left = count(6) + count(8) + count(10), additionals = count(10); left > 0; left--) {
    const fixed = pastName(message, at)
    if (fixed + 10 > message.length) return MALFORMED
    const end = fixed + 10 + count(fixed + 8)
    if (end > message.length) return MALFORMED
    if (count(fixed) === TYPE.TSIG) return left === 1 && additionals > 0 && end === message.length ? readTsig(message, at, fixed, end) : MALFORMED
    at = end
  }
  return at === message.length ? undefined : MALFORMED
}

/** The name at `at` in lower case; undefined when it is none, or does not end before `end`. */
function lowerName(message: Uint8Array, at: number, end: number): Uint8Array | undefined {
  const name = new Uint8Array(LONGEST_NAME)
  const length = pastName(message, at) > end ? 0 : expandName(message, at, name, 0)
  return length === 0 ? undefined : name.subarray(0, length).map((octet) => LOWER[octet]!)
}

function readTsig(message: Uint8Array, at: number, fixed: number, end: number): Tsig | 'malformed' {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength)
  const keyName = lowerName(message, at, fixed)
  if (keyName === undefined || view.getUint16(fixed + 2) !== CLASS.ANY || view.getUint32(fixed + 4) !== 0) return MALFORMED
  const algorithm = lowerName(message, fixed + 10, end)
  if (algorithm === undefined) return MALFORMED
  const times = pastName(message, fixed + 10)
  if (times + 10 > end) return MALFORMED
  const macAt = times + 10
  const macEnd = macAt + view.getUint16(times + 8)
  if (macEnd + 6 > end || macEnd + 6 + view.getUint16(macEnd + 4) !== end) return MALFORMED
  return {
    at,
    keyName,
    algorithm,
    time: view.getUint16(times) * 2 ** 32 + view.getUint32(times + 2),
    fudge: view.getUint16(times + 6),
    mac: new Uint8Array(message.subarray(macAt, macEnd)),
    originalId: view.getUint16(macEnd),
    error: view.getUint16(macEnd + 2),
    other: new Uint8Array(message.subarray(macEnd + 6, end))
  }
}

export const NOTHING = new Uint8Array(0)

/** A MAC's beginning: with the MAC before it, when there is one, behind its length (RFC 8945 §4.3.1). */
export function begin(key: TsigKey, before?: Uint8Array): Hmac {
  const hmac = createHmac(key.algorithm.hash, key.secret)
  return before === undefined ? hmac : hmac.update(Uint8Array.of(before.length >>> 8, before.length)).update(before)
}

/** The message as it was when it was signed: its own id, and no TSIG (RFC 8945 §4.3.2). */
export function asSigned(message: Uint8Array, tsig: Tsig): Uint8Array {
  const signed = withoutTsig(message, tsig)
  signed[0] = tsig.originalId >>> 8
  signed[1] = tsig.originalId
  return signed
}

export function withoutTsig(message: Uint8Array, { at }: Tsig): Uint8Array {
  // A copy for certain: a Buffer's slice is none.
  const rest = new Uint8Array(message.subarray(0, at))
  const additionals = ((rest[10]! << 8) | rest[11]!) - 1
  rest[10] = additionals >>> 8
  rest[11] = additionals
  return rest
}

/** RFC 8945 §4.3.3. */
export function variables(key: TsigKey, time: number, fudge: number, error: number, other: Uint8Array): Uint8Array {
  return Buffer.concat([
    key.name, Uint8Array.of(0, CLASS.ANY, 0, 0, 0, 0), key.algorithm.name, timers(time, fudge),
    Uint8Array.of(error >>> 8, error, other.length >>> 8, other.length), other
  ])
}

export function timers(time: number, fudge: number): Uint8Array {
  return Uint8Array.of(...sixOctets(time), fudge >>> 8, fudge)
}

export function sixOctets(time: number): Uint8Array {
  const octets = Buffer.alloc(6)
  octets.writeUIntBE(Math.floor(time), 0, 6)
  return octets
}

interface Fields extends Pick<Tsig, 'time' | 'fudge' | 'mac' | 'error' | 'other'> {
  readonly name: Uint8Array
  readonly algorithm: Uint8Array
}

/** The message with a TSIG as its last record (RFC 8945 §4.2, §5.1). */
export function append(message: Uint8Array, { name, algorithm, time, fudge, mac, error, other }: Fields): Uint8Array {
  const octets = algorithm.length + 10 + mac.length + 6 + other.length
  const signed = Buffer.concat([
    message, name, Uint8Array.of(0, TYPE.TSIG, 0, CLASS.ANY, 0, 0, 0, 0, octets >>> 8, octets), algorithm, timers(time, fudge),
    Uint8Array.of(mac.length >>> 8, mac.length), mac, message.subarray(0, 2), Uint8Array.of(error >>> 8, error, other.length >>> 8, other.length), other
  ])
  const additionals = ((signed[10]! << 8) | signed[11]!) + 1
  signed[10] = additionals >>> 8
  signed[11] = additionals
  return signed
}

export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
