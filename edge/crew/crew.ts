import type { MessagePort } from 'node:worker_threads'
import { PassingMap } from '../../core/passing.ts'
import type { Viewer } from '../asked.ts'
import { fileOf } from '../bodies/index.ts'
import type { StoredObject } from '../cache/index.ts'
import { madeFor } from '../coded.ts'
import type { Connection, Handler, RequestHead } from '../http/index.ts'
import { hashText } from '../tiers/index.ts'
import type { Crew, LentObject, Worker } from '../worker.ts'
import { Carried } from './carried.ts'
import { makeLent, wordOf, type Lent } from './lent.ts'
import { Mate } from './mate.ts'
import type { MateWord, Octets } from './messages.ts'
import type { MeasuredRow } from '../viewers/index.ts'
import { ownerOf } from './owner.ts'
import type { Shares } from './shared.ts'

export interface CrewOptions {
  readonly place: { readonly worker: number; readonly workers: number }
  readonly shares: Shares
  /** Octets for what is lent. */
  readonly lentMemory: number
  /** Chooses who has which key; the same in all workers, and after a restart. */
  readonly seed: number
  /** Answers a request here. */
  readonly handle: Handler
  /** Told what another worker has measured. */
  readonly hear: (row: MeasuredRow) => void
}

/** A worker that is told to forget and does not say so within this long hangs, and answers nobody. */
const FORGET_MS = 1000
const LENT_MARKS = 2 ** 16

export const makeCrew = (worker: Worker, options: CrewOptions): Crew => new Desk(worker, options)

/** A request of ours that another worker answers. */
interface Asked {
  readonly mate: Mate
  readonly request: RequestHead
  readonly reply: Connection
  begun: boolean
  /** Octets that the client has not taken yet. */
  owed: number
}

class Desk implements Crew {
  readonly #worker: Worker
  readonly #options: CrewOptions
  readonly #lent: Lent
  readonly #mates: (Mate | undefined)[] = []
  readonly #asked = new PassingMap<number, Asked>()
  readonly #forgetting = new Map<number, { readonly waiting: Set<Mate>; readonly done: () => void }>()
  /** Whether something under such a hash was lent. */
  readonly #lentOut = new Uint8Array(LENT_MARKS)
  #nextId = 1

  constructor(worker: Worker, options: CrewOptions) {
    this.#worker = worker
    this.#options = options
    this.#lent = makeLent(worker, options.shares, options.lentMemory, (viewer) => this.#leaveToOwner(viewer))
  }

  get lentOctets(): number {
    return this.#lent.size
  }

  turn(viewer: Viewer): 'carried' | LentObject | undefined {
    if (viewer.reply instanceof Carried) return undefined
    const hash = this.#hashOf(viewer.primary)
    const mate = this.#ownerOf(hash)
    if (mate === undefined) return undefined
    const lent = this.#lent.find(viewer, hash)
    if (lent !== undefined) return lent
    this.#carryCounted(mate, viewer, this.#lent.isWanted(hash))
    return 'carried'
  }

  carryToFirst(request: RequestHead, reply: Connection): boolean {
    const first = this.#mates[0]
    if (first === undefined || reply instanceof Carried) return false
    this.#carry(first, request, reply, false)
    return true
  }

  lend(viewer: Viewer, key: string, object: StoredObject): void {
    const { reply, primary } = viewer
    if (!(reply instanceof Carried) || !reply.isWanted || object.onDisk !== undefined || object.status >= 400 || !this.#lent.mayLend(object.body)) return
    const coded = madeFor(this.#worker, viewer, object)
    // Until there is what this viewer takes, we are asked each time.
    if (coded === 'not yet') return
    const held = key === primary ? undefined : this.#worker.store.get(primary)
    const made = coded && { name: coded.name, held: coded.made.kind === 'pass' ? coded.made : wordOf(coded.made) }
    reply.isWanted = false
    this.#lentOut[this.#hashOf(primary) & (LENT_MARKS - 1)] = 1
    const pin = fileOf(object.body) === undefined ? undefined : reply.pin(object.body)
    reply.say({ kind: 'lent', primary, changes: this.#options.shares.changesOf(this.#hashOf(primary)), vary: held?.kind === 'vary' ? held : undefined, key, object: wordOf(object), made, pin })
  }

  forget(primaries: readonly string[], done: () => void): void {
    const waiting = new Set(this.#mates.filter((mate) => mate !== undefined))
    const number = this.#nextId++
    const finish = (): void => {
      clearTimeout(timer)
      if (!this.#forgetting.delete(number)) return
      for (const primary of primaries) this.#options.shares.changed(this.#hashOf(primary))
      done()
    }
    const timer = setTimeout(finish, FORGET_MS)
    this.#forgetting.set(number, { waiting, done: finish })
    if (waiting.size === 0) return finish()
    for (const mate of waiting) mate.say({ kind: 'forget', number, primaries })
  }

  replaced(primary: string): void {
    const hash = this.#hashOf(primary)
    if (this.#lentOut[hash & (LENT_MARKS - 1)] === 0) return
    this.#lentOut[hash & (LENT_MARKS - 1)] = 0
    this.#options.shares.voided(hash)
  }

  measured(row: MeasuredRow): void {
    this.#mates[0]?.say({ kind: 'measured', row })
  }

  join(worker: number, port: MessagePort): void {
    const mate: Mate = new Mate(port, (word) => this.#hear(mate, word), () => this.#lost(worker, mate))
    const before = this.#mates[worker]
    this.#mates[worker] = mate
    before?.close()
  }

  /** Undefined: it is us. */
  #ownerOf(hash: number): Mate | undefined {
    return this.#mates[ownerOf(hash, this.#options.place.workers, this.#isThere)]
  }

  #leaveToOwner(viewer: Viewer): void {
    // It is there: what it lent has just been found.
    this.#carryCounted(this.#ownerOf(this.#hashOf(viewer.primary))!, viewer, true)
  }

  readonly #isThere = (worker: number): boolean => worker === this.#options.place.worker || this.#mates[worker] !== undefined

  readonly #hashOf = (primary: string): number => hashText(primary, this.#options.seed)

  /** What was counted here already counts where it is answered. */
  #carryCounted(mate: Mate, { request, reply }: Viewer, wanted: boolean): void {
    this.#worker.counters.requests--
    this.#carry(mate, request, reply, wanted)
  }

  #carry(mate: Mate, request: RequestHead, reply: Connection, wanted: boolean): void {
    const id = this.#nextId++
    this.#asked.set(id, { mate, request, reply, begun: false, owed: 0 })
    reply.watch({ drained: () => undefined, gone: () => this.#gone(id) })
    mate.say({ kind: 'ask', id, request, address: reply.remoteAddress, closes: reply.closesAfter, wanted })
  }

  #gone(id: number): void {
    const asked = this.#asked.get(id)
    this.#asked.delete(id)
    asked?.mate.say({ kind: 'gone', id })
  }

  #hear(mate: Mate, word: MateWord): void {
    switch (word.kind) {
      case 'ask':
        return this.#answer(mate, word)
      case 'gone':
        return mate.carried.get(word.id)?.gone()
      case 'took':
        return mate.carried.get(word.id)?.took(word.octets)
      case 'lent':
        this.#lent.take(word, this.#hashOf(word.primary))
        return word.pin === undefined ? undefined : mate.say({ kind: 'borrowed', pin: word.pin })
      case 'borrowed':
        return mate.unpin(word.pin)
      case 'forget':
        for (const primary of word.primaries) this.#worker.forget(primary)
        return mate.say({ kind: 'forgotten', number: word.number })
      case 'forgotten':
        return this.#forgotten(word.number, mate)
      case 'measured':
        return this.#options.hear(word.row)
      default: {
        const asked = this.#asked.get(word.id)
        if (asked !== undefined) this.#pass(word, asked)
      }
    }
  }

  /** Answers for another worker. */
  #answer(mate: Mate, { id, request, address, closes, wanted }: Extract<MateWord, { kind: 'ask' }>): void {
    const reply = new Carried({ id, address, closes, wanted, say: (word, transfer) => mate.say(word, transfer), pin: (body) => mate.pin(body), over: () => mate.carried.delete(id) })
    mate.carried.set(id, reply)
    this.#options.handle(request, reply)
  }

  /** Passes on what another worker answers. */
  #pass(word: Extract<MateWord, { kind: 'inform' | 'whole' | 'open' | 'piece' | 'finish' | 'abort' }>, asked: Asked): void {
    const { reply, mate } = asked
    const { id } = word
    switch (word.kind) {
      case 'inform':
        return reply.inform(word.head)
      case 'whole':
        this.#asked.delete(id)
        return reply.whole(word.head, word.body === undefined ? undefined : bodyOf(word.body))
      case 'open':
        asked.begun = true
        return reply.open(word.head, word.framing, {
          drained: () => {
            if (asked.owed > 0) mate.say({ kind: 'took', id, octets: asked.owed })
            asked.owed = 0
          },
          gone: () => this.#gone(id)
        })
      case 'piece': {
        const piece = bodyOf(word.octets)
        if (reply.write(piece)) mate.say({ kind: 'took', id, octets: piece.length })
        else asked.owed += piece.length
        return
      }
      case 'finish':
        this.#asked.delete(id)
        return reply.finish()
      case 'abort':
        this.#asked.delete(id)
        return reply.abort()
      default:
    }
  }

  #forgotten(number: number, mate: Mate): void {
    const forgetting = this.#forgetting.get(number)
    if (forgetting?.waiting.delete(mate) === true && forgetting.waiting.size === 0) forgetting.done()
  }

  /** Another worker is gone: what it was asked and had not begun to answer is answered otherwise, and nobody waits for what it asked. */
  #lost(worker: number, mate: Mate): void {
    if (this.#mates[worker] === mate) this.#mates[worker] = undefined
    for (const number of this.#forgetting.keys()) this.#forgotten(number, mate)
    for (const carried of mate.carried.values()) carried.gone()
    for (const [id, asked] of this.#asked) {
      if (asked.mate !== mate) continue
      this.#asked.delete(id)
      if (asked.begun) asked.reply.abort()
      else this.#options.handle(asked.request, asked.reply)
    }
  }
}

const bodyOf = (octets: Octets): Buffer => (typeof octets === 'string' ? Buffer.from(octets, 'latin1') : Buffer.from(octets.buffer, octets.byteOffset, octets.length))
