import { beginReply, fits, makeReply, makeScannedName, mark, scanName, undo, writeRecord, type Mark, type Owner, type Reply } from '../wire/index.ts'
import type { Request } from './request.ts'

/** Octets of a message of a transfer: as far as names can be pointed back to (RFC 1035 §4.1.4). A record that needs more has it. */
const COMFORTABLE = 16384
const HEADER = 12

/** Writes records into as many messages as they need; names are compressed. One at work at a time. */
export interface MessageWriter {
  /**
   * Adds a record: an owner as it was set last, RDATA in source[from…].
   * @returns the message before, when it is full
   */
  add(type: number, ttl: number, source: Uint8Array, from: number, length: number): Uint8Array | undefined
  /** The owner of the next records: a name in wire form at bytes[at…]. */
  own(bytes: Uint8Array, at: number): void
  /** The last message. */
  end(): Uint8Array
  /** Records in the message begun. */
  count(): number
}

export function makeMessageWriter({ message, name, questionEnd, limit }: Request): MessageWriter {
  const reply: Reply = makeReply(65535 + 512)
  const question = makeScannedName()
  scanName(name, 0, name.length, question)
  const owner: Owner = { pointer: 0, bytes: name, at: 0 }
  const before: Mark = { at: 0, pointerCount: 0 }
  const size = Math.min(limit, COMFORTABLE)
  const begin = (): void => {
    beginReply(reply, question, question.labels, size)
    owner.pointer = 0
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
  begin()
  return {
    count: () => reply.answers,
    own: (bytes, at) => {
      owner.pointer = 0
      owner.bytes = bytes
      owner.at = at
    },
    add: (type, ttl, source, from, length) => {
      mark(reply, before)
      const { pointer } = owner
      writeRecord(reply, owner, type, ttl, source, from, length)
      if (fits(reply)) {
        reply.answers++
        return undefined
      }
      undo(reply, before)
      owner.pointer = pointer
      if (reply.answers === 0) reply.limit = limit
      else {
        const full = finish()
        begin()
        writeRecord(reply, owner, type, ttl, source, from, length)
        if (!fits(reply)) {
          // Alone, it may take what a message can hold.
          begin()
          reply.limit = limit
          writeRecord(reply, owner, type, ttl, source, from, length)
        }
        reply.answers++
        return full
      }
      writeRecord(reply, owner, type, ttl, source, from, length)
      reply.answers++
      return undefined
    },
    end: finish
  }
}
