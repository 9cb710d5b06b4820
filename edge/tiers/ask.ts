import type { Fetching, UpstreamTrouble } from '../http/index.ts'
import type { FieldList } from '../message/index.ts'
import { guard, type AnswerReceiver, type Asker, type Question } from './asker.ts'
import { candidatesFor, mayRepeat, type Candidate, type Candidates } from './candidates.ts'
import type { Parent } from './parent.ts'
import type { Route } from './route.ts'
import { send, type Sent } from './send.ts'

/**
 * Asks the first parent on the way up that is alive; one that cannot be reached, or does not prove that it is of this fleet, is
 * marked and the next one asked. The last ones, the origins, fail over among themselves: on the statuses of their group, too.
 */
export function ask(asker: Asker, route: Route, question: Question, receiver: AnswerReceiver): Fetching {
  const walk = new Walk(asker, route, question, receiver)
  walk.begin()
  return walk
}

/** A hedge sooner than this would be asked for more often than it helps. */
const SOONEST_HEDGE_MS = 5
const LEFT_ALONE: UpstreamTrouble = { kind: 'unreachable', detail: 'it failed too often of late, and is left alone for a moment', unsent: true }

/** One question on its way up: it is with one parent at a time, or with two while a hedge is under way. */
class Walk implements Fetching {
  readonly #asker: Asker
  readonly #route: Route
  readonly #question: Question
  readonly #receiver: AnswerReceiver
  readonly #candidates: Candidates
  readonly #pending = new Map<Candidate, Sent>()
  #answering: Sent | undefined
  #last: { readonly trouble: UpstreamTrouble; readonly parent: Parent } | undefined
  /** To be asked again when the timer ends. */
  #waiting: Candidate | undefined
  #timer: NodeJS.Timeout | undefined
  #hedge: NodeJS.Timeout | undefined
  #paused = false
  #over = false

  constructor(asker: Asker, route: Route, question: Question, receiver: AnswerReceiver) {
    this.#asker = asker
    this.#route = route
    this.#question = question
    this.#receiver = receiver
    this.#candidates = candidatesFor(asker, route, question)
    asker.hedges.earn()
  }

  begin(): void {
    this.#next()
  }

  pause(): void {
    this.#paused = true
    this.#answering?.pause()
  }

  resume(): void {
    this.#paused = false
    this.#answering?.resume()
  }

  write(piece: Buffer): boolean {
    return this.#only()?.write(piece) ?? true
  }

  end(): void {
    this.#only()?.end()
  }

  abort(): void {
    this.#over = true
    this.#stopTimers()
    this.#answering?.abort()
    this.#waiting?.parent.standing.circuit.abandoned()
    for (const sent of this.#pending.values()) sent.abort()
    this.#pending.clear()
  }

  /** What is asked once is with one parent at a time. */
  #only(): Sent | undefined {
    return this.#answering ?? [...this.#pending.values()][0]
  }

  #stopTimers(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#hedge)
  }

  #next(): void {
    const candidate = this.#candidates.next()
    if (candidate === undefined) {
      const { trouble, parent } = this.#last ?? { trouble: LEFT_ALONE, parent: this.#route.origins.members[0]! }
      this.#over = true
      this.#receiver.trouble(trouble, parent)
    } else if (candidate.waitMs === 0) this.#send(candidate)
    else {
      this.#waiting = candidate
      this.#timer = setTimeout(() => this.#guard(() => this.#send(candidate), candidate.parent), candidate.waitMs)
    }
  }

  #send(candidate: Candidate): void {
    const { parent } = candidate
    this.#waiting = undefined
    const sent = send(this.#asker, parent, this.#question, {
      ...this.#receiver,
      head: (status, fields) => this.#guard(() => this.#head(candidate, status, fields), parent),
      trouble: (trouble, begun) => this.#guard(() => this.#trouble(candidate, trouble, begun), parent)
    })
    this.#pending.set(candidate, sent)
    this.#planHedge(parent)
  }

  /** A fault of ours on the way up is trouble for whoever asks, who would wait for good. */
  #guard(work: () => void, parent: Parent): void {
    if (guard(this.#asker, work)) return
    this.abort()
    guard(this.#asker, () => this.#receiver.trouble({ kind: 'broken', detail: 'a fault of ours' }, parent))
  }

  #planHedge(parent: Parent): void {
    clearTimeout(this.#hedge)
    const usual = this.#question.once !== true && this.#route.shared?.members.includes(parent) === true && mayRepeat(this.#question) ? parent.standing.times.p95() : undefined
    if (usual === undefined || this.#pending.size > 1) return
    this.#hedge = setTimeout(() => {
      if (this.#over || this.#answering !== undefined || this.#pending.size !== 1 || !this.#asker.hedges.spend()) return
      const other = this.#candidates.nextOfSame()
      if (other !== undefined) guard(this.#asker, () => this.#send(other))
    }, Math.max(SOONEST_HEDGE_MS, usual))
  }

  #head(candidate: Candidate, status: number, fields: FieldList): void {
    const { parent } = candidate
    const sent = this.#pending.get(candidate)!
    this.#pending.delete(candidate)
    if (this.#isNotGoodEnough(parent, status)) {
      sent.discard()
      return this.#next()
    }
    this.#stopTimers()
    for (const other of this.#pending.values()) other.discard()
    this.#pending.clear()
    this.#answering = sent
    if (this.#paused) sent.pause()
    this.#receiver.head(status, fields, parent)
  }

  /** A neighbour does not hold it, or another origin may know better. */
  #isNotGoodEnough({ kind }: Parent, status: number): boolean {
    if (kind === 'neighbour') return status >= 500
    return kind === 'origin' && this.#route.origins.failsOver.has(status) && mayRepeat(this.#question) && this.#candidates.hasOther()
  }

  #trouble(candidate: Candidate, trouble: UpstreamTrouble, begun: boolean): void {
    this.#pending.delete(candidate)
    if (this.#over) return
    const { parent } = candidate
    this.#last = { trouble, parent }
    const isLost = begun || (trouble.unsent !== true && !mayRepeat(this.#question))
    if (isLost) {
      this.#over = true
      this.#stopTimers()
      return this.#receiver.trouble(trouble, parent)
    }
    this.#candidates.failed(candidate, trouble)
    if (this.#pending.size === 0) this.#next()
  }
}
