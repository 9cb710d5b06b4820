import { fieldOf, filterFields, type FieldList } from '../message/index.ts'
import type { Fetching, UpstreamTrouble } from '../http/index.ts'
import { TIER_FIELD } from '../../core/tier-auth.ts'
import { guard, type AnswerReceiver, type Asker, type Question } from './asker.ts'
import type { Parent } from './parent.ts'

export interface SendReceiver extends Pick<AnswerReceiver, 'data' | 'end' | 'connected' | 'drained' | 'inform'> {
  head(status: number, fields: FieldList): void
  /** @param begun there was a head before */
  trouble(trouble: UpstreamTrouble, begun: boolean): void
}

/** A request to one parent. */
export interface Sent extends Fetching {
  /** Its answer is not wanted after all: what is left of a short one is read, so that the connection can be kept. */
  discard(): void
}

/** A tier that has been silent for this long is asked whether it is there at all. */
const SUSPECT_MS = 700
/** Said to a neighbour: it is to give what it holds, or nothing; and nothing at all where it has not had the purge of this number yet. */
export const HELD_FIELD = 'x-nearcast-held'
/** An origin that answers so has failed, whatever it was asked for. */
const OUT_OF_ORDER = new Set([502, 503, 504])
const WORTH_READING = 64 * 1024

/** Sends a question to one parent, and notes how it fares; a tier's answer counts only with its proof. */
export function send(asker: Asker, parent: Parent, question: Question, receiver: SendReceiver): Sent {
  const { clock } = asker
  const isTier = parent.kind !== 'origin'
  const proof = isTier ? asker.auth.prove(question, clock.now()) : undefined
  const fields = fieldsFor(asker, parent, question, proof?.value)
  const note = takeNotes(asker, parent)
  let begun = false
  let over = false
  let unwanted = false
  let length: number | undefined
  let watch: NodeJS.Timeout | undefined
  const settled = (): void => clearTimeout(watch)
  const failed = (trouble: UpstreamTrouble): void => {
    settled()
    over = true
    try {
      note.trouble(trouble, begun)
    } finally {
      if (!unwanted) receiver.trouble(trouble, begun)
    }
  }
  const request = { server: parent.server, method: question.method, path: parent.pathPrefix + question.target, fields, connectMs: parent.connectMs, responseMs: parent.responseMs, once: question.once === true }
  asker.sent()
  const fetching = asker.client.fetch(request, {
    head(status, answer) {
      settled()
      if (proof !== undefined && !asker.auth.isAnswer(fieldOf(answer, TIER_FIELD), proof.nonce, status)) {
        fetching.abort()
        return failed({ kind: 'unreachable', detail: 'it does not prove that it is a tier of this fleet' })
      }
      begun = true
      length = Number(fieldOf(answer, 'content-length') ?? Infinity)
      note.head(status)
      receiver.head(status, answer)
    },
    data: (piece) => unwanted || receiver.data(piece),
    end: () => {
      note.over()
      over = true
      if (!unwanted) receiver.end()
    },
    connected: () => receiver.connected?.(),
    drained: () => receiver.drained?.(),
    inform: (status, answer) => unwanted || receiver.inform?.(status, answer),
    trouble: failed
  })
  const hangs = (trouble: UpstreamTrouble): void => {
    if (begun || over) return
    fetching.abort()
    failed({ kind: 'timeout', detail: `it hangs: ${trouble.detail}` })
  }
  if (parent.kind === 'tier') watch = setTimeout(() => suspect(asker, parent, hangs), SUSPECT_MS)
  const abort = (): void => {
    over = true
    settled()
    note.over()
    fetching.abort()
  }
  const discard = (): void => {
    unwanted = true
    if (!begun || length! > WORTH_READING) abort()
    else fetching.resume()
  }
  return { pause: () => fetching.pause(), resume: () => fetching.resume(), write: (piece) => fetching.write(piece), end: () => fetching.end(), abort, discard }
}

function fieldsFor(asker: Asker, parent: Parent, question: Question, proof: string | undefined): string[] {
  const own = new Set(parent.fields.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()))
  const asked = own.size === 0 ? question.fields : filterFields(question.fields, (name) => !own.has(name))
  const fields = ['Host', parent.host ?? question.host, ...asked, ...parent.fields]
  if (parent.kind === 'neighbour') fields.push(HELD_FIELD, String(asker.purged()))
  if (proof !== undefined) fields.push(TIER_FIELD, proof)
  return fields
}

/** Notes at its parent's standing how a request fares. */
function takeNotes(asker: Asker, parent: Parent): { head(status: number): void; trouble(trouble: UpstreamTrouble, begun: boolean): void; over(): void } {
  const { clock, liveness } = asker
  const { standing, kind, name } = parent
  const sentAt = clock.elapsed()
  let isUnderWay = true
  let isDecided = false
  standing.count(1)
  if (kind === 'origin') standing.retries.earn()
  const over = (): void => {
    if (isUnderWay) standing.count(-1)
    isUnderWay = false
    if (!isDecided && kind === 'origin') standing.circuit.abandoned()
    isDecided = true
  }
  const failed = (detail: string, unreached: boolean): void => {
    if (kind === 'origin' ? standing.circuit.failed(clock.elapsed(), unreached) : liveness.failed(name, clock.now())) asker.changed(parent, 'dead', detail)
  }
  return {
    over,
    head: (status) => {
      isDecided = true
      const now = clock.elapsed()
      standing.times.add(now - sentAt, now)
      if (kind === 'origin' && OUT_OF_ORDER.has(status)) failed(`it answers with ${status}`, false)
      else if (kind === 'origin' ? standing.circuit.succeeded(clock.elapsed()) : liveness.answered(name)) asker.changed(parent, 'back', 'it answers again')
    },
    trouble: (trouble, begun) => {
      isDecided = true
      over()
      if (begun) return
      const now = clock.elapsed()
      if (trouble.kind === 'timeout') standing.times.add(now - sentAt, now)
      failed(trouble.detail, trouble.unsent === true)
    }
  }
}

/**
 * A tier is silent: perhaps it waits for the origin, perhaps it hangs (its kernel still accepts connections). Its health page
 * tells, asked once for all who wait.
 */
function suspect(asker: Asker, parent: Parent, hangs: (trouble: UpstreamTrouble) => void): void {
  const { suspects } = asker
  const others = suspects.get(parent.name)
  if (others !== undefined) return void others.push(hangs)
  const waiting = [hangs]
  suspects.set(parent.name, waiting)
  const settle = (trouble?: UpstreamTrouble): void => {
    if (suspects.get(parent.name) !== waiting) return
    suspects.delete(parent.name)
    if (trouble !== undefined) for (const tell of waiting) guard(asker, () => tell(trouble))
  }
  const request = { server: parent.server, method: 'GET' as const, path: '/healthz', fields: ['Host', parent.server.address], connectMs: SUSPECT_MS, responseMs: SUSPECT_MS }
  asker.client.fetch(request, { head: () => settle(), data: () => undefined, end: () => undefined, trouble: settle })
}
