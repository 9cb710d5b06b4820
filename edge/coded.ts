import { messageOf } from '../core/trouble.ts'
import type { Viewer } from './asked.ts'
import type { Held, PassMark, Reader, StoredObject } from './cache/index.ts'
import { decode, describeCoded, describePlain, encode, wishFor, type Wish } from './coding/index.ts'
import type { Coming } from './coming.ts'
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
  const { request } = viewer
  const wanted = codingFor(worker, viewer, object)
  if (wanted === undefined) return tell(object)
  const { wish, name, made } = wanted
  const lines = (): string => (wish.kind === 'encode' ? describeCoded(object.lines, wish.coding) : describePlain(object.lines))
  if (made?.kind === 'object' && made.receivedAt === object.receivedAt) return tell(made)
  if (made?.kind === 'object' && isSame(made, object)) {
    const renewed = madeOf(object, lines(), made.body)
    worker.store.put(name, renewed)
    return tell(renewed)
  }
  // What grows no smaller, or cannot be read, is not tried again.
  if (made?.kind === 'pass' && made.until === object.receivedAt) return tell(object)
  if (worker.leaveToOwner !== undefined) return worker.leaveToOwner(viewer)
  const work = worker.coding.get(jobOf(name, object)) ?? begin(worker, name, wish, object, lines)
  if (wish.kind === 'encode' || work === undefined) return tell(object)
  let isThere = true
  viewer.reply.watch({ drained: () => undefined, gone: () => void (isThere = false) })
  work.then((made) => isThere && tell(made)).catch((error: unknown) => {
    worker.complain(`${request.target} could not be answered decompressed: ${messageOf(error)}`)
    viewer.reply.abort()
  })
}

/** What a response is to be made into for a viewer, what that is held under, and what is held there: perhaps of an older response. */
interface Wanted {
  readonly wish: Exclude<Wish, { kind: 'as it is' }>
  readonly name: string
  readonly made: Held | undefined
}

/** Undefined: the viewer gets the response as it is. */
function codingFor(worker: Worker, viewer: Viewer, object: StoredObject): Wanted | undefined {
  const { request, nonce, behaviour: { compression }, key } = viewer
  if (compression === undefined || nonce !== undefined || requestField(request, RANGE) !== undefined) return undefined
  // What memory cannot hold is not made into anything else.
  if (object.onDisk !== undefined) return undefined
  const wish = wishFor(compression, object, object.body.length, requestField(request, ACCEPT_ENCODING))
  if (wish.kind === 'as it is') return undefined
  const name = `${key}\n~${wish.kind === 'encode' ? wish.coding : 'identity'}`
  return { wish, name, made: worker.store.get(name) }
}

/** What was made of a response for a viewer, or that nothing can be; `not yet` where that is to be found out. Undefined: the viewer gets the response as it is. */
export function madeFor(worker: Worker, viewer: Viewer, object: StoredObject): { readonly name: string; readonly made: StoredObject | PassMark } | 'not yet' | undefined {
  const wanted = codingFor(worker, viewer, object)
  if (wanted === undefined) return undefined
  const { name, made } = wanted
  const isOfIt = (made?.kind === 'object' && made.receivedAt === object.receivedAt) || (made?.kind === 'pass' && made.until === object.receivedAt)
  return isOfIt ? { name, made } : 'not yet'
}

/** Begins the work, once for all who ask meanwhile; undefined where there is too much of it. It comes to what was made, or to the response as it is. */
function begin(worker: Worker, name: string, wish: Exclude<Wish, { kind: 'as it is' }>, object: StoredObject, lines: () => string): Promise<StoredObject> | undefined {
  if (worker.coding.size >= MOST_AT_WORK) return undefined
  const job = jobOf(name, object)
  const work = (wish.kind === 'encode' ? encode(wish.coding, object.body) : decode(wish.coding, object.body, worker.largestInMemory)).then((body) => {
    worker.coding.delete(job)
    if (body === undefined) {
      worker.store.put(name, { kind: 'pass', until: object.receivedAt })
      return object
    }
    const made = madeOf(object, lines(), body)
    worker.store.put(name, made)
    return made
  })
  // Who waits for it hears of its failure; who does not has been answered.
  work.catch(() => worker.coding.delete(job))
  worker.coding.set(job, work)
  return work
}

/** What is made of an older response is not for those who are answered with a newer one. */
const jobOf = (name: string, { receivedAt }: StoredObject): string => `${name}\n${receivedAt}`

/** A strong tag stands for the same octets, whenever they were received. */
const isSame = (made: StoredObject, object: StoredObject): boolean => object.etag?.startsWith('"') === true && made.etag === `W/${object.etag}`

function madeOf(object: StoredObject, lines: string, body: Buffer): StoredObject {
  const etag = /^etag: ([^\r]*)\r$/im.exec(lines)?.[1]
  return { ...object, lines, body, etag, frame: '', frameAge: -1, askedAt: -Infinity }
}

/** Whether a response that is coming, and will be held, is one that its viewer cannot read as it is. */
export const mustDecode = ({ largestInMemory }: Worker, { request, nonce, behaviour: { compression } }: Viewer, coming: Coming): boolean =>
  compression !== undefined && nonce === undefined && 'freshness' in coming.stored && (coming.length ?? 0) <= largestInMemory && wishFor(compression, coming, 0, requestField(request, ACCEPT_ENCODING)).kind === 'decode'

/** Waits until a response that is coming is here whole; one that breaks off, or is too large to be held, breaks the connection. */
export function collect(worker: Worker, viewer: Viewer, coming: Coming, leave: () => void, tell: (object: StoredObject) => void): void {
  const { fill, stored, status, lines, etag, lastModified } = coming
  if (!('freshness' in stored)) return
  const { reply } = viewer
  viewer.key = coming.key
  const { freshness } = stored
  const pieces: Buffer[] = []
  let size = 0
  const reader: Reader = {
    next: 0,
    at: 0,
    wake: () => {
      try {
        take()
      } catch (error) {
        worker.fault(error)
        end()
        reply.abort()
      }
    }
  }
  const take = (): void => {
    for (let piece = fill.read(reader); piece !== undefined; piece = fill.read(reader)) {
      pieces.push(piece)
      size += piece.length
    }
    const isBroken = fill.isBrokenFor(reader) || size > worker.largestInMemory
    if (!isBroken && (fill.state !== 'complete' || !fill.isAtEnd(reader))) return
    end()
    if (isBroken) reply.abort()
    else tell(heldNow() ?? { kind: 'object', status, lines, body: Buffer.concat(pieces), etag, lastModified, tags: '', generation: 0, ...freshness, frame: '', frameAge: -1, askedAt: -Infinity })
  }
  /** What is held by now need not be put together once more for each who waits. */
  const heldNow = (): StoredObject | undefined => {
    const held = worker.store.get(coming.key)
    return held?.kind === 'object' && held.receivedAt === freshness.receivedAt && held.etag === etag && held.onDisk === undefined && held.body.length === size ? held : undefined
  }
  const end = (): void => {
    fill.detach(reader)
    leave()
  }
  reply.watch({ drained: () => undefined, gone: end })
  fill.attach(reader)
  reader.wake()
}
