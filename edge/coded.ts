import { messageOf } from '../core/trouble.ts'
import type { Viewer } from './asked.ts'
import type { Fill, Reader, StoredObject } from './cache/index.ts'
import { decode, describeCoded, describePlain, encode, wishFor, type Wish } from './coding/index.ts'
import { fieldName, requestField } from './http/index.ts'
import type { Worker } from './worker.ts'

const ACCEPT_ENCODING = fieldName('accept-encoding')
const RANGE = fieldName('range')

/** Bodies that are being made of others at once; beyond it they are answered as they are. */
const MOST_AT_WORK = 16

/**
 * Answers with a stored response in the coding that the viewer takes. What is compressed is held beside the response it was made
 * of, and made once: until it is there, the response is answered as it is. What the viewer cannot read is decompressed before it is
 * answered. A tier gets what is held, and so does who wants a part: parts are of the octets as they came (RFC 9110 §14.2).
 * @param tell answers; called at once, or when the body has been decompressed
 */
export function inCoding(worker: Worker, viewer: Viewer, object: StoredObject, tell: (object: StoredObject) => void): void {
  const { request, nonce, behaviour: { compression }, key } = viewer
  if (compression === undefined || nonce !== undefined || requestField(request, RANGE) !== undefined) return tell(object)
  const wish = wishFor(compression, object, object.body.length, requestField(request, ACCEPT_ENCODING))
  if (wish.kind === 'as it is') return tell(object)
  const name = `${key}\n~${wish.kind === 'encode' ? wish.coding : 'identity'}`
  const lines = (): string => (wish.kind === 'encode' ? describeCoded(object.lines, wish.coding) : describePlain(object.lines))
  const made = worker.store.get(name)
  if (made?.kind === 'object' && made.receivedAt === object.receivedAt) return tell(made)
  if (made?.kind === 'object' && isSame(made, object)) {
    const renewed = madeOf(object, lines(), made.body)
    worker.store.put(name, renewed)
    return tell(renewed)
  }
  // What grows no smaller, or cannot be read, is not tried again.
  if (made?.kind === 'pass') return tell(object)
  const work = worker.coding.get(name) ?? begin(worker, name, wish, object, lines)
  if (wish.kind === 'encode' || work === undefined) return tell(object)
  let isThere = true
  viewer.reply.watch({ drained: () => undefined, gone: () => void (isThere = false) })
  work.then((made) => isThere && tell(made)).catch((error: unknown) => {
    worker.complain(`${request.target} could not be answered decompressed: ${messageOf(error)}`)
    viewer.reply.abort()
  })
}

/** Begins the work, once for all who ask meanwhile; undefined where there is too much of it. It comes to what was made, or to the response as it is. */
function begin(worker: Worker, name: string, wish: Exclude<Wish, { kind: 'as it is' }>, object: StoredObject, lines: () => string): Promise<StoredObject> | undefined {
  if (worker.coding.size >= MOST_AT_WORK) return undefined
  const work = (wish.kind === 'encode' ? encode(wish.coding, object.body) : decode(wish.coding, object.body, worker.largestObject)).then((body) => {
    worker.coding.delete(name)
    if (body === undefined) {
      worker.store.put(name, { kind: 'pass', until: Infinity })
      return object
    }
    const made = madeOf(object, lines(), body)
    worker.store.put(name, made)
    return made
  })
  // Who waits for it hears of its failure; who does not has been answered.
  work.catch(() => worker.coding.delete(name))
  worker.coding.set(name, work)
  return work
}

/** A strong tag stands for the same octets, whenever they were received. */
const isSame = (made: StoredObject, object: StoredObject): boolean => object.etag?.startsWith('"') === true && made.etag === `W/${object.etag}`

function madeOf(object: StoredObject, lines: string, body: Buffer): StoredObject {
  const etag = /^etag: ([^\r]*)\r$/im.exec(lines)?.[1]
  return { ...object, lines, body, etag, frame: '', frameAge: -1, askedAt: -Infinity }
}

/**
 * Waits for a body that is coming, which its viewer cannot read as it is; undefined when it does not come whole, or is too large.
 * @returns what ends the waiting
 */
export function collect(worker: Worker, fill: Fill, told: (body: Buffer | undefined) => void): () => void {
  const pieces: Buffer[] = []
  let size = 0
  const finish = (body: Buffer | undefined): void => {
    fill.detach(reader)
    told(body)
  }
  const reader: Reader = {
    next: 0,
    wake: () => {
      for (let piece = fill.read(reader); piece !== undefined; piece = fill.read(reader)) {
        pieces.push(piece)
        size += piece.length
      }
      if (fill.state === 'broken' || size > worker.largestObject) finish(undefined)
      else if (fill.state === 'complete' && fill.isAtEnd(reader)) finish(Buffer.concat(pieces))
    }
  }
  fill.attach(reader)
  reader.wake()
  return () => fill.detach(reader)
}
