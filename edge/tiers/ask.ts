import type { Clock } from '../../core/clock.ts'
import { fieldOf, type FieldList } from '../message/index.ts'
import type { Fetching, Receiver, UpstreamClient, UpstreamTrouble } from '../http/index.ts'
import { TIER_FIELD, type TierAuth } from '../../core/tier-auth.ts'
import type { Liveness } from './liveness.ts'
import { parentsFor, type Parent, type Route } from './route.ts'

export interface Question {
  readonly method: string
  /** By which its owner is chosen where several parents share the keys. */
  readonly key: string
  /** The viewer's host. */
  readonly host: string
  readonly target: string
  /** All but Host and the proof. */
  readonly fields: FieldList
  /** As in `UpstreamRequest`: it goes to another parent only where the first cannot have understood any of it. */
  readonly once?: boolean
}

/** As `Receiver`, with who answered. Trouble is told only when no parent is left to ask, or in mid-body. */
export interface AnswerReceiver extends Pick<Receiver, 'connected' | 'drained'> {
  head(status: number, fields: FieldList, parent: Parent): void
  data(piece: Buffer): void
  end(): void
  trouble(trouble: UpstreamTrouble, parent: Parent): void
}

export interface Asker {
  readonly client: UpstreamClient
  readonly auth: TierAuth
  readonly liveness: Liveness
  readonly clock: Clock
  /** Who is to be told when a silent tier turns out to hang, by its name. */
  readonly suspects: Map<string, ((trouble: UpstreamTrouble) => void)[]>
  /** Requests under way, by the parent's name. */
  readonly loads: Map<string, number>
  /** A parent is skipped from now on, or used again. */
  changed(parent: Parent, state: 'dead' | 'back', detail: string): void
  /** A request is sent. */
  sent(): void
}

const CONNECT_MS = 2000
/** A tier that has been silent for this long is asked whether it is there at all. */
const SUSPECT_MS = 700

/**
 * Asks the first parent on the way up that is alive; one that cannot be reached, or does not prove that it is of this fleet, is
 * marked and the next one asked. The last one, the origin, is asked in any case.
 */
export function ask(asker: Asker, route: Route, question: Question, receiver: AnswerReceiver): Fetching {
  const parents = parentsFor(route, question.key, (name) => asker.loads.get(name) ?? 0, asker.liveness, asker.clock.now())
  const last = parents.length - 1
  let under: Fetching | undefined
  let aborted = false
  let paused = false
  const next = (from: number): void => {
    let at = from
    while (at < last && asker.liveness.isDead(parents[at]!.name, asker.clock.now())) at++
    const parent = parents[at]!
    asker.sent()
    under = send(asker, parent, question, {
      ...receiver,
      head: (status, fields) => {
        if (parent.kind === 'tier' && asker.liveness.answered(parent.name)) asker.changed(parent, 'back', 'it answers again')
        receiver.head(status, fields, parent)
      },
      trouble: (trouble, begun) => {
        const failed = parent.kind === 'tier' && !begun
        if (failed && asker.liveness.failed(parent.name, asker.clock.now())) asker.changed(parent, 'dead', trouble.detail)
        if (aborted) return
        if (begun || at === last || (question.once === true && trouble.unsent !== true)) receiver.trouble(trouble, parent)
        else next(at + 1)
      }
    })
    if (paused) under.pause()
  }
  next(0)
  return {
    pause: () => ((paused = true), under?.pause()),
    resume: () => ((paused = false), under?.resume()),
    write: (piece) => under?.write(piece) ?? true,
    end: () => under?.end(),
    abort: () => ((aborted = true), under?.abort())
  }
}

interface SendReceiver extends Pick<AnswerReceiver, 'data' | 'end' | 'connected' | 'drained'> {
  head(status: number, fields: FieldList): void
  trouble(trouble: UpstreamTrouble, begun: boolean): void
}

/** Sends a question to one parent; a tier's answer counts only with its proof. */
function send(asker: Asker, parent: Parent, question: Question, receiver: SendReceiver): Fetching {
  const isTier = parent.kind === 'tier'
  const proof = isTier ? asker.auth.prove(question, asker.clock.now()) : undefined
  const fields = ['Host', parent.host ?? question.host, ...question.fields, ...(proof === undefined ? [] : [TIER_FIELD, proof.value])]
  let begun = false
  let over = false
  let watch: NodeJS.Timeout | undefined
  const settled = (): void => clearTimeout(watch)
  const done = takeLoad(asker.loads, parent.name)
  const request = { server: parent.server, method: question.method, path: parent.pathPrefix + question.target, fields, connectMs: CONNECT_MS, responseMs: parent.responseMs, once: question.once === true }
  const fetching = asker.client.fetch(request, {
    head(status, answer) {
      settled()
      if (proof !== undefined && !asker.auth.isAnswer(fieldOf(answer, TIER_FIELD), proof.nonce, status)) {
        done()
        fetching.abort()
        return receiver.trouble({ kind: 'unreachable', detail: 'it does not prove that it is a tier of this fleet' }, false)
      }
      begun = true
      receiver.head(status, answer)
    },
    data: receiver.data,
    end: () => (done(), receiver.end()),
    connected: () => receiver.connected?.(),
    drained: () => receiver.drained?.(),
    trouble(trouble) {
      settled()
      done()
      over = true
      receiver.trouble(trouble, begun)
    }
  })
  const hangs = (trouble: UpstreamTrouble): void => {
    if (begun || over) return
    fetching.abort()
    over = true
    done()
    receiver.trouble({ kind: 'timeout', detail: `it hangs: ${trouble.detail}` }, false)
  }
  if (isTier) watch = setTimeout(() => suspect(asker, parent, hangs), SUSPECT_MS)
  return { ...fetching, abort: () => ((over = true), settled(), done(), fetching.abort()) }
}

/** Counts one more request under way; what it returns, called once or more, takes that back. */
function takeLoad(loads: Map<string, number>, name: string): () => void {
  loads.set(name, (loads.get(name) ?? 0) + 1)
  let isUnderWay = true
  return () => {
    if (isUnderWay) loads.set(name, loads.get(name)! - 1)
    isUnderWay = false
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
    if (trouble !== undefined) for (const tell of waiting) tell(trouble)
  }
  const request = { server: parent.server, method: 'GET' as const, path: '/healthz', fields: ['Host', parent.server.address], connectMs: SUSPECT_MS, responseMs: SUSPECT_MS }
  asker.client.fetch(request, { head: () => settle(), data: () => undefined, end: () => undefined, trouble: settle })
}
