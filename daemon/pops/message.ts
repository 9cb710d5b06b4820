import { createHmac, timingSafeEqual } from 'node:crypto'
import type { PopKey } from './keys.ts'

// The one message that PoPs send each other, in a datagram of its own. Numbers are unsigned, in network order.
//
//    0  magic (4e 50), version (1), nothing (0)
//    4  which key signs it                                           8
//   12  session of the receiver that the sender knows, 0: none       8    a session is a number of chance, one for each life
//   20  session of the sender                                        8    of a daemon: whoever names ours has heard us in it
//   28  number of the message in its session                         8
//   36  time of the sender: milliseconds of its wall clock           8    (floats of 64 bits from here on)
//   44  stamp of the sender: milliseconds of its steady clock        8
//   52  echo: stamp and time of the latest message of the receiver, and for how long it has been here; 0: none    3 × 8
//   76  names of sender and receiver                                 1 + n each
//       kinds: how many, and of each: number, version, lease in ms, version of the receiver's that is here    1, 1 + 3 × 4 each
//       part of one kind: its number, 0: none; past which version, up to which, how many entries    1 + 4 + 4 + 2
//       entries: key and value, an empty value for one that is gone   1 + n, 2 + n each
//   −32 HMAC-SHA256 of all before it

/** Octets of the largest message: with IPv6 and UDP it is below 1280, which every path carries whole. */
export const LARGEST = 1200
const HEAD = 76
const MAC = 32
const SMALLEST = HEAD + 2 + 1 + 1 + MAC
const MAGIC = 0x4e50
const VERSION = 1
export const NO_SESSION = '0'.repeat(16)
export const LONGEST_KEY = 64
export const LONGEST_VALUE = 400
const MOST_KINDS = 16

/** How one kind of state stands, as the sender has it. */
export interface KindHead {
  readonly kind: number
  /** Counts the changes of the sender's own state of this kind. */
  readonly version: number
  /** How long after it was last heard the sender's state is to be believed, milliseconds. */
  readonly leaseMs: number
  /** Up to which of the receiver's versions the sender has its state. */
  readonly have: number
}

export interface Entry {
  /** 1 to 64 octets, as hexadecimal digits. */
  readonly key: string
  /** Empty: there is no such entry any more. */
  readonly value: Uint8Array
}

/** Everything that changed past version `from`, up to version `to`. */
export interface Part {
  readonly kind: number
  readonly from: number
  readonly to: number
  readonly entries: readonly Entry[]
}

export interface Message {
  readonly from: string
  readonly to: string
  /** 16 hexadecimal digits each. */
  readonly toSession: string
  readonly fromSession: string
  readonly sequence: number
  readonly time: number
  readonly stamp: number
  readonly echo?: { readonly stamp: number; readonly time: number; readonly heldMs: number }
  readonly kinds: readonly KindHead[]
  readonly part?: Part
}

/** Octets that an entry takes in a message. */
export const sizeOf = ({ key, value }: Entry): number => 3 + key.length / 2 + value.length

/** Octets that are left for the entries of a part. */
export const roomFor = (from: string, to: string, kinds: number): number => LARGEST - HEAD - MAC - 2 - from.length - to.length - 1 - kinds * 13 - 11

/** @throws RangeError when it is longer than LARGEST */
export function writeMessage(message: Message, key: PopKey): Uint8Array {
  const out = Buffer.alloc(LARGEST)
  out.writeUInt16BE(MAGIC, 0)
  out[2] = VERSION
  out.write(key.id, 4, 'hex')
  out.write(message.toSession, 12, 'hex')
  out.write(message.fromSession, 20, 'hex')
  out.writeBigUInt64BE(BigInt(message.sequence), 28)
  const { echo } = message
  for (const [index, number] of [message.time, message.stamp, echo?.stamp ?? 0, echo?.time ?? 0, echo?.heldMs ?? 0].entries()) out.writeDoubleBE(number, 36 + index * 8)
  let at = HEAD
  for (const name of [message.from, message.to]) {
    out[at++] = name.length
    at += out.write(name, at, 'latin1')
  }
  out[at++] = message.kinds.length
  for (const { kind, version, leaseMs, have } of message.kinds) {
    out[at++] = kind
    for (const number of [version, leaseMs, have]) at = out.writeUInt32BE(number, at)
  }
  at = writePart(out, at, message.part)
  mac(out.subarray(0, at), key).copy(out, at)
  return out.subarray(0, at + MAC)
}

function writePart(out: Buffer, start: number, part: Part | undefined): number {
  let at = start
  out[at++] = part?.kind ?? 0
  if (part === undefined) return at
  at = out.writeUInt32BE(part.from, at)
  at = out.writeUInt32BE(part.to, at)
  at = out.writeUInt16BE(part.entries.length, at)
  for (const { key, value } of part.entries) {
    out[at++] = key.length / 2
    at += out.write(key, at, 'hex')
    at = out.writeUInt16BE(value.length, at)
    if (at + value.length + MAC > LARGEST) throw new RangeError('the message is too long')
    out.set(value, at)
    at += value.length
  }
  return at
}

const mac = (octets: Uint8Array, key: PopKey): Buffer => createHmac('sha256', key.secret).update(octets).digest()

/** What shows before any costly work: which key, and whose session the sender names. Undefined: no message of this version. */
export function peek(octets: Uint8Array): { readonly keyId: string; readonly toSession: string } | { readonly version: number } | undefined {
  if (octets.length < 3 || octets.length > LARGEST) return undefined
  const head = Buffer.from(octets.buffer, octets.byteOffset, octets.length)
  if (head.readUInt16BE(0) !== MAGIC) return undefined
  if (head[2] !== VERSION) return { version: head[2]! }
  if (octets.length < SMALLEST) return undefined
  return { keyId: head.toString('hex', 4, 12), toSession: head.toString('hex', 12, 20) }
}

/** Whether the message was signed with this key. Compares in a time that does not tell where they differ. */
export function isSigned(octets: Uint8Array, key: PopKey): boolean {
  const end = octets.length - MAC
  return timingSafeEqual(mac(octets.subarray(0, end), key), octets.subarray(end))
}

/** Reads a message whose signature has been found right; undefined when it is none all the same. */
export function readMessage(octets: Uint8Array): Message | undefined {
  try {
    return read(Buffer.from(octets.buffer, octets.byteOffset, octets.length - MAC))
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** Every read beyond the end throws a RangeError. */
function read(octets: Buffer): Message | undefined {
  const sequence = Number(octets.readBigUInt64BE(28))
  const [time, stamp, echoStamp, echoTime, heldMs] = [36, 44, 52, 60, 68].map((at) => octets.readDoubleBE(at)) as [number, number, number, number, number]
  if (![time, stamp, echoStamp, echoTime, heldMs].every((number) => Number.isFinite(number) && number >= 0) || !Number.isSafeInteger(sequence)) return undefined
  const from = readText(octets, HEAD)
  const to = readText(octets, from.end)
  let at = to.end
  const count = octets.readUInt8(at++)
  if (count > MOST_KINDS) return undefined
  const kinds = Array.from({ length: count }, (_, index): KindHead => {
    const place = at + index * 13
    return { kind: octets.readUInt8(place), version: octets.readUInt32BE(place + 1), leaseMs: octets.readUInt32BE(place + 5), have: octets.readUInt32BE(place + 9) }
  })
  at += count * 13
  const part = readPart(octets, at)
  if (part === undefined) return undefined
  return {
    from: from.text, to: to.text, toSession: octets.toString('hex', 12, 20), fromSession: octets.toString('hex', 20, 28), sequence, time, stamp, kinds,
    ...(echoStamp > 0 && { echo: { stamp: echoStamp, time: echoTime, heldMs } }), ...(part !== 'none' && { part })
  }
}

function readText(octets: Buffer, at: number): { readonly text: string; readonly end: number } {
  const end = at + 1 + octets.readUInt8(at)
  if (end > octets.length) throw new RangeError('a name ends past the message')
  return { text: octets.toString('latin1', at + 1, end), end }
}

function readPart(octets: Buffer, start: number): Part | 'none' | undefined {
  const kind = octets.readUInt8(start)
  if (kind === 0) return start + 1 === octets.length ? 'none' : undefined
  const from = octets.readUInt32BE(start + 1)
  const to = octets.readUInt32BE(start + 5)
  const count = octets.readUInt16BE(start + 9)
  let at = start + 11
  const entries: Entry[] = []
  for (let index = 0; index < count; index++) {
    const keyEnd = at + 1 + octets.readUInt8(at)
    const end = keyEnd + 2 + octets.readUInt16BE(keyEnd)
    if (end > octets.length || keyEnd === at + 1 || keyEnd - at - 1 > LONGEST_KEY) return undefined
    entries.push({ key: octets.toString('hex', at + 1, keyEnd), value: Uint8Array.from(octets.subarray(keyEnd + 2, end)) })
    at = end
  }
  return at === octets.length && from < to ? { kind, from, to, entries } : undefined
}
