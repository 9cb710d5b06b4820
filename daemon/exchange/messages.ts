import { beginReply, fits, makeReply, makeScannedName, mark, scanName, undo, writeRecord, type Mark, type Owner, type Reply } from '../wire/index.ts'
import type { Request } from './request.ts'

/** Octets of a message of a transfer: as far as names can be pointed back to (RFC 1035 §4.1.4). A record that needs more has it. */
const COMFORTABLE = 16384
const HEADER = 12

/** Writes records into as many messages as they need; names are compressed. */
export interface MessageWriter {
  /** Adds a record: owner and RDATA in wire form, uncompressed. @returns the message before, when it is full */
  add(owner: Uint8Array, type: number, ttl: number, rdata: Uint8Array): Uint8Array | undefined
  /** The last message. */
  end(): Uint8Array
}

export function makeMessageWriter({ message, name, questionEnd, limit }: Request): MessageWriter {
  const reply: Reply = makeReply(65535 + 512)
  const question = makeScannedName()
  scanName(name, 0, name.length, question)
  const owned: Owner = { pointer: 0, bytes: name, at: 0 }
  const before: Mark = { at: 0, pointerCount: 0 }
  const begin = (size: number): void => {
    beginReply(reply, question, question.labels, size)
    owned.pointer = 0
  }
  const finish = (): Uint8Array => {
    const out = reply.bytes.slice(0, reply.at)
    out.set(message.subarray(0, questionEnd))
    // A response with AA; RD as it was asked.
    out[2] = 0x84 | (message[2]! & 0x01)
    out[3] = 0
    out.fill(0, 4, HEADER)
    out[5] = 1
    out[6] = reply.answers >>> 8
    out[7] = reply.answers
    return out
  }
  /** False: it did not fit, and is not there. */
  const write = (owner: Uint8Array, type: number, ttl: number, rdata: Uint8Array): boolean => {
    mark(reply, before)
    if (owned.pointer === 0 || !isSame(owned.bytes, owner)) {
      owned.pointer = 0
      owned.bytes = owner
    }
    writeRecord(reply, owned, type, ttl, rdata, 0, rdata.length)
    if (fits(reply)) {
      reply.answers++
      return true
    }
    undo(reply, before)
    return false
  }
  begin(Math.min(limit, COMFORTABLE))
  return {
    add: (owner, type, ttl, rdata) => {
      if (write(owner, type, ttl, rdata)) return undefined
      const full = reply.answers > 0 ? finish() : undefined
      begin(Math.min(limit, COMFORTABLE))
      if (write(owner, type, ttl, rdata)) return full
      // Alone, it may take what a message can hold.
      begin(limit)
      if (!write(owner, type, ttl, rdata)) throw new Error('a record is larger than a message')
      return full
    },
    end: finish
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let octet = 0; octet < a.length; octet++) if (a[octet] !== b[octet]) return false
  return true
}
