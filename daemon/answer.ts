import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/trouble.ts'
import {
  assemble, beginSteering, classByNetwork, closedGate, COOKIE, COUNT, countQuery, drawVariant, ENTRY, findForClass, findPrepared, findQuestion, finish, forgetImage, forgetOld, forgetSteered, HAND_OVER, HEADER, identityOctets, introduce, judgeCookie, keep, leadsOn, lookAhead, makeAssembly,
  makeCookieJar, makeCounters, makePrepared, makeSteering, movePointers, nextRandom, noteQuestion, openTally, optLength, OUTCOMES, placeOf, putBody, putUnknownKey, putWords, STATE, steer, turnTally, useSecrets, VARIANT,
  type Assembly, type Exchange, type Gate, type Identity, type Prepared, type Source, type Steering, type Tally, type Transport
} from './answer/index.ts'
import { CLASS, COOKIE_ALONE, makeQuery, nameToText, OPCODE, parseOther, parseQuery, RCODE, SILENCE, TYPE, type Query } from './wire/index.ts'
import { isWithheld } from './withheld.ts'
import type { World } from './world.ts'
import { judge, locate, makeFinding, NODE, nodeWord, type Finding } from './zone/index.ts'

// The life of a query, from its bytes to those of the reply: read `respond` first, then downwards.

export type { Source } from './answer/index.ts'

export interface AnswererOptions extends Identity {
  readonly world: World
  /** Absent: nothing is handed over, and all that is no ordinary query is refused. */
  readonly gate?: Gate
  /** Our own trouble, with the question it came with. The client got SERVFAIL. */
  readonly onError?: (error: unknown, question: string) => void
  /** The slots of COUNTERS, in shared memory; a set of its own without. */
  readonly counters?: Float64Array
  /** Octets we take over UDP and send there at most; 1232 without. */
  readonly payload?: number
  /** Milliseconds that a connection may be idle, told to whoever asks (RFC 7828); 10 s without. */
  readonly idleMs?: number
  /** DNS cookies, by the secrets of the world; absent: off. `isEnforced`: over UDP a client that has cookies gets no answer before it has shown one of ours. */
  readonly cookies?: { readonly isEnforced: boolean; readonly clock: Pick<Clock, 'now'> }
  /** ANY is told no more over TCP than over UDP. */
  readonly hasMinimalAny?: boolean
  /** Where queries for steered names are counted, in shared memory; absent: nowhere. */
  readonly tally?: Int32Array
  /** Octets for answers kept ready. */
  readonly preparedSize?: number
  /** Starts the random choices between answers. */
  readonly seed?: number
}

/** What is known of whoever asked; the same object from query to query. */
export interface Client {
  /** It sent a cookie that only a client at its address can have: its address is not forged. */
  hasCookie: boolean
}

/** Answers queries, one at a time; each thread has its own. */
export interface Answerer {
  readonly counters: Float64Array
  /** The query answered last, and where its name stood. */
  readonly last: { readonly query: Query; readonly finding: Finding }
  /** Of the query answered last. */
  readonly client: Client
  /** From now on answers come from this world. */
  use(world: World): void
  /** Looks ahead at a query that will be answered soon, so that others may be looked at meanwhile. */
  expect(query: Uint8Array, start: number, length: number, source: Source): void
  /**
   * Answers the query in query[start…], `length` octets. Never throws.
   * @param out another array than `query`, or a part of it that lies apart
   * @param outSize octets the reply may have there, at least 512
   * @returns octets of the reply in out[outStart…]; 0: say nothing; HAND_OVER
   */
  answer(query: Uint8Array, start: number, length: number, source: Source, transport: Transport, out: Uint8Array, outStart: number, outSize: number): number
  /** Writes another reply to the query answered last, in the place of the first: truncated, with nothing in it. @returns its octets */
  truncate(): number
  /** Answers the message for which `answer` has just said HAND_OVER, where it cannot be handed over: SERVFAIL, to the same place. */
  decline(): number
}

/** What one answerer works with; the lower half belongs to the query at hand. */
interface State extends Exchange {
  world: World
  healthGeneration: number
  readonly options: AnswererOptions
  readonly prepared: Prepared
  readonly finding: Finding
  readonly assembly: Assembly
  readonly steering: Steering
  readonly random: Int32Array
  /** What was looked at ahead: of no meaning. */
  readonly ahead: Int32Array
  readonly tally: Tally | undefined
  readonly nextRandom: () => number

  source: Source
  isTcp: boolean
  readonly client: Client
}

const PREPARED_SIZE = 16 << 20
/** What passes unfragmented nearly everywhere (DNS flag day 2020; RFC 9715 §3.2 allows up to 1400). */
const UDP_PAYLOAD = 1232
const IDLE_MS = 10_000

const SIGN = 1 << 31

/** What sort of key stands in the table of prepared answers, beside the type << 2. */
const KIND = { EXACT: 0, WILDCARD: 1, DELEGATION: 2, NXDOMAIN: 3 } as const
/** In place of the type: the name asked for is the cut itself. */
const AT_CUT = 1 << 2
/** In place of the type: every type that a name has not. */
const NO_DATA = 0x10000

export function makeAnswerer(options: AnswererOptions): Answerer {
  const nowhere = new Uint8Array(0)
  const noView = new DataView(nowhere.buffer)
  const random = Int32Array.of((options.seed ?? 0x6d2b79f5) | 1)
  const nextNumber = (): number => nextRandom(random)
  const state: State = {
    world: options.world, healthGeneration: Atomics.load(options.world.health.generation, 0), options,
    serverId: identityOctets(options.serverId), payload: options.payload ?? UDP_PAYLOAD, idleTime: Math.min(65535, Math.ceil((options.idleMs ?? IDLE_MS) / 100)),
    cookies: makeCookieJar(), client: { hasCookie: false }, transport: 'udp',
    counters: options.counters ?? makeCounters(), prepared: makePrepared(options.preparedSize ?? PREPARED_SIZE),
    query: makeQuery(), finding: makeFinding(), assembly: makeAssembly((rrset, type, name) => steer(state.steering, state, state.world, state.source, nextNumber, rrset, type, name), (rrset) => leadsOn(state.world, rrset)), steering: makeSteering(),
    random, nextRandom: nextNumber, ahead: new Int32Array(1), address: new Uint8Array(16),
    bytes: nowhere, view: noView, source: { family: 4, bytes: nowhere, at: 0 }, isTcp: false, out: nowhere, outView: noView, outStart: 0, room: 0,
    scope: 0, place: -1, failOpen: false, isWithheld: false,
    tally: options.tally && openTally(options.tally, options.world)
  }
  useSecrets(state.cookies, options.cookies === undefined ? [] : (options.world.cookies ?? []))
  return {
    counters: state.counters,
    last: { query: state.query, finding: state.finding },
    truncate: () => truncate(state),
    client: state.client,
    use(world) {
      forgetOld(state.prepared, state.world, world)
      state.world = world
      useSecrets(state.cookies, options.cookies === undefined ? [] : (world.cookies ?? []))
      state.steering.choices.clear()
      forgetImage(state.assembly)
      if (state.tally !== undefined) turnTally(state.tally, world)
    },
    answer(query, start, length, source, transport, out, outStart, outSize) {
      if (state.bytes !== query) {
        state.bytes = query
        state.view = new DataView(query.buffer, query.byteOffset, query.length)
      }
      if (state.out !== out) {
        state.out = out
        state.outView = new DataView(out.buffer, out.byteOffset, out.length)
      }
      // A store of what is there already would cost a look of the collector's.
      if (state.source !== source) state.source = source
      if (state.transport !== transport) {
        state.transport = transport
        state.isTcp = transport !== 'udp'
      }
      state.outStart = outStart
      state.room = outSize
      try {
        return respond(state, start, length)
      } catch (error) {
        return ownTrouble(state, error)
      }
    },
    expect: (query, start, length, source) => void (state.ahead[0]! ^= lookAhead(state.world.places, query, start + length, source)),
    decline: () => refuse(state, RCODE.SERVFAIL)
  }
}

function respond(state: State, start: number, length: number): number {
  const { query, counters, options } = state
  counters[COUNT.QUERIES]!++
  counters[state.isTcp ? COUNT.TCP : COUNT.UDP]!++
  state.scope = 0
  state.failOpen = false
  state.isWithheld = false
  state.client.hasCookie = false
  const fault = parseQuery(state.bytes, start, length, query)
  if (fault === SILENCE) {
    counters[COUNT.SILENT]!++
    return 0
  }
  if (query.edns) counters[COUNT.EDNS]!++
  if (query.subnetAt !== 0) counters[COUNT.SUBNET]!++
  const largest = state.isTcp ? 65535 : query.payload < state.payload ? query.payload : state.payload
  if (state.room > largest) state.room = largest
  const cookie = query.cookieAt === 0 ? COOKIE.ABSENT : judgeClient(state)
  if (fault === COOKIE_ALONE) return refuse(state, cookie === COOKIE.ABSENT ? RCODE.FORMERR : cookie === COOKIE.VALID || query.cookieLength === 8 ? RCODE.NOERROR : RCODE.BADCOOKIE)
  if (query.opcode !== OPCODE.QUERY || query.tsigAt !== 0) return elsewhere(state, fault)
  if (fault !== RCODE.NOERROR) return refuse(state, fault)
  if (cookie === COOKIE.UNPROVEN && !state.isTcp && options.cookies!.isEnforced) return refuse(state, RCODE.BADCOOKIE)
  if (query.class !== CLASS.IN) return query.class === CLASS.CH ? introduce(state, options) || refuse(state, RCODE.REFUSED) : refuse(state, RCODE.REFUSED)
  if (query.type === TYPE.AXFR || query.type === TYPE.IXFR) return elsewhere(state, fault)

  dropStale(state)
  const { finding, world } = state
  const known = findQuestion(state.prepared.questions, query.name, query.type)
  const entry = known < 0 ? -1 : forViewer(state, known)
  if (entry >= 0) {
    finding.standing = 'exact'
    finding.shared = query.name.labels
    return sendPrepared(state, entry)
  }
  locate(world.zones, query.name, query.type, finding)
  // ANY over TCP is told all (RFC 8482 §4.4), and not from what is kept for UDP.
  if (query.type === TYPE.ANY && state.isTcp && options.hasMinimalAny !== true && finding.standing !== 'not ours') return theLongWay(state, 0, -1)
  switch (finding.standing) {
    case 'not ours':
      counters[COUNT.OUTCOME]!++
      state.isWithheld = isWithheld(world.withheld, query.name)
      return refuse(state, state.isWithheld ? RCODE.SERVFAIL : RCODE.REFUSED)
    case 'exact':
      return fromPrepared(state, finding.node, KIND.EXACT | (query.type << 2))
    case 'wildcard':
      return fromPrepared(state, finding.node, KIND.WILDCARD | (query.type << 2))
    case 'delegation':
      // At the cut itself the question's name is the cut's, to which much points; below it, it is any.
      return fromPrepared(state, finding.node, KIND.DELEGATION | (finding.shared === query.name.labels ? AT_CUT : 0))
    case 'nxdomain':
      return fromPrepared(state, finding.node, KIND.NXDOMAIN)
    case 'dname':
    case 'undelegated':
      return theLongWay(state, 0, -1)
  }
}

/** What the client's cookie says of it (RFC 7873 §5.2); the one that goes back is in the jar. Where cookies are off the option is as if unknown. */
function judgeClient(state: State): number {
  const { cookies, query, source, options, counters, client } = state
  if (cookies.keys.length === 0) {
    query.cookieAt = 0
    return COOKIE.ABSENT
  }
  counters[COUNT.COOKIES]!++
  const now = (options.cookies!.clock.now() / 1000) | 0
  const judged = judgeCookie(cookies, state.bytes, query, source.bytes, source.at, source.family === 4 ? 4 : 16, now)
  if (judged !== COOKIE.VALID) return judged
  counters[COUNT.COOKIES_VALID]!++
  client.hasCookie = true
  return judged
}

/** What is kept ready holds for one state of health. */
function dropStale(state: State): void {
  // A plain read: it may come late by a moment, as the packet might have come early.
  const generation = state.world.health.generation[0]!
  if (generation === state.healthGeneration) return
  state.healthGeneration = generation
  forgetSteered(state.prepared)
  state.steering.choices.clear()
}

/** The answer kept ready for the node. */
function fromPrepared(state: State, node: number, kind: number): number {
  const { prepared, query } = state
  const found = findPrepared(prepared, node, kind)
  if (found < 0) return fromNoData(state, node, kind)
  // ANY is answered in one way over UDP and in another over TCP.
  if ((kind & 3) === KIND.EXACT && query.type !== TYPE.ANY) noteQuestion(prepared.questions, query.name, query.type, found)
  const entry = forViewer(state, found)
  return entry < 0 ? theLongWay(state, node, kind) : sendPrepared(state, entry)
}

/** The entry itself or, when a policy looks at who asks, that for the class of such viewers; -1: there is none yet. */
function forViewer(state: State, entry: number): number {
  const { prepared, world } = state
  const flags = prepared.words[entry]!
  if ((flags & STATE.STEERED) === 0) return entry
  const policy = prepared.words[entry + ENTRY.POLICY]!
  const isByNetwork = (flags & STATE.BY_NETWORK) !== 0
  state.place = -1
  const viewerClass = (flags & STATE.ANYWHERE) !== 0 ? 0 : isByNetwork ? classByNetwork(state, world, policy, state.source) : world.routing.classOf(policy, placeOf(state, world.places, state.source))
  const found = findForClass(prepared, entry, viewerClass)
  // What is put together first is counted there.
  if (found >= 0 && state.tally !== undefined) countQuery(state.tally, prepared.words[entry + ENTRY.NODE]!, state.place, state, state.source)
  return found
}

/** All the types that a name has not share one answer. */
function fromNoData(state: State, node: number, kind: number): number {
  const { finding, query, world, prepared } = state
  if ((kind & KIND.DELEGATION) === 0) {
    judge(world.zones, query.type, finding)
    if (finding.outcome === 'nodata' && query.type !== TYPE.ANY) {
      const noData = (kind & 3) | (NO_DATA << 2)
      const entry = findPrepared(prepared, node, noData)
      if (entry < 0) return theLongWay(state, node, noData)
      if ((kind & 3) === KIND.EXACT) noteQuestion(prepared.questions, query.name, query.type, entry)
      return sendPrepared(state, entry)
    }
  }
  return theLongWay(state, node, kind)
}

function sendPrepared(state: State, entry: number): number {
  const { words, bytes } = state.prepared
  const flags = words[entry]!
  let at = entry + ENTRY.WORDS
  if (words[entry + ENTRY.COUNT] !== 1) {
    if ((flags & STATE.DRAWN) !== 0) at += drawnFor(state, entry) * VARIANT.WORDS
    else {
      const pick = nextRandom(state.random)
      // Both without their signs: as unsigned numbers they would need memory.
      while ((pick ^ SIGN) > (words[at + VARIANT.UP_TO]! ^ SIGN)) at += VARIANT.WORDS
    }
  }
  const length = words[at + VARIANT.LENGTH]!
  const fits = HEADER + state.query.name.length + 4 + length + optLength(state) <= state.room
  if (fits ? (flags & STATE.CUT) !== 0 : (flags & STATE.OWN) === 0) return theLongWay(state, 0, -1)
  state.counters[COUNT.PREPARED]!++
  state.counters[COUNT.OUTCOME + ((flags >>> 8) & 0xff)]!++
  state.failOpen = (flags & STATE.FAIL_OPEN) !== 0
  if (!fits) return finish(state, flags & 0xff, (flags & STATE.AUTHORITATIVE) !== 0, true, 0, 0, putBody(state, state.bytes, 0, 0))
  const body = words[at + VARIANT.BODY]!
  const end = putWords(state, words, body, length)
  const moved = state.query.name.length - words[entry + ENTRY.NAME]!
  if (moved !== 0) movePointers(state, bytes, body + length, words[at + VARIANT.MORE]! >>> 16, moved)
  return finish(state, flags & 0xff, (flags & STATE.AUTHORITATIVE) !== 0, false, words[at + VARIANT.COUNTS]!, words[at + VARIANT.MORE]! & 0xffff, end)
}

/** The variant that whoever asked has of those of an entry. */
function drawnFor(state: State, entry: number): number {
  const { drawn, name } = state.prepared.drawn.get(entry)!
  return drawVariant(drawn, state, state.source, name ?? state.query.name.hashes[0]!, state.nextRandom)
}

/** Puts the answer together from the zones, and keeps it ready when it is one that may come again. `kind` -1: it is not. */
function theLongWay(state: State, node: number, kind: number): number {
  const { assembly, query, world, steering, options } = state
  const { reply } = assembly
  beginSteering(steering)
  state.failOpen = false
  state.scope = 0
  state.place = -1
  const limit = state.room - optLength(state)
  const isWhole = state.isTcp && options.hasMinimalAny !== true
  assemble(assembly, world.zones, query, isWhole, limit, 0)
  if (kind >= 0 && steering.policy >= 0 && state.tally !== undefined) countQuery(state.tally, node, state.place, state, state.source)
  // Where a policy answers CNAMEs to whatever is asked for, types do not share what it answers.
  const isShared = kind >>> 2 === NO_DATA && steering.policy >= 0
  const entry = kind < 0 || isShared ? -1 : keep(state, node, kind, limit)
  if (entry >= 0) return sendPrepared(state, entry)
  steering.isLive = true
  if (steering.turns.length > 1) assemble(assembly, world.zones, query, isWhole, limit, nextRandom(state.random) >>> 0)
  const bodyAt = HEADER + query.name.length + 4
  const end = putBody(state, reply.bytes, bodyAt, reply.at - bodyAt)
  state.counters[COUNT.OUTCOME + OUTCOMES.indexOf(assembly.outcome)]!++
  return finish(state, assembly.rcode, assembly.authoritative, reply.truncated, reply.answers | (reply.authorities << 16), reply.additionals, end)
}

/** A reply that is an RCODE and nothing else. */
function refuse(state: State, rcode: number): number {
  const { query } = state
  const question = query.questionEnd === 0 ? HEADER : query.questionEnd - query.at
  if (question + optLength(state) > state.room) return 0
  const end = query.questionEnd === 0 ? state.outStart + HEADER : putBody(state, state.bytes, 0, 0)
  return finish(state, rcode, false, false, 0, 0, end)
}

/** The reply for a client that shall ask again over TCP, whatever was to be said. */
function truncate(state: State): number {
  const { query } = state
  state.failOpen = false
  const end = query.questionEnd === 0 ? state.outStart + HEADER : putBody(state, state.bytes, 0, 0)
  return finish(state, RCODE.NOERROR, false, true, 0, 0, end)
}

/** What is no ordinary query, as the gate says: handed over, or refused at no more cost than one. */
function elsewhere(state: State, fault: number): number {
  const { query, world, finding, bytes, source, options } = state
  const { opcode } = query
  if (opcode !== OPCODE.QUERY && opcode !== OPCODE.NOTIFY && opcode !== OPCODE.UPDATE) return refuse(state, RCODE.NOTIMP)
  if (opcode !== OPCODE.QUERY && parseOther(bytes, query) !== RCODE.NOERROR) return refuse(state, RCODE.FORMERR)
  if (fault === RCODE.FORMERR && query.tsigAt === 0) return refuse(state, fault)
  locate(world.zones, query.name, TYPE.SOA, finding)
  const isZone = finding.standing === 'exact' && nodeWord(world.zones, finding.node, NODE.APEX) === finding.node
  const verdict = (options.gate ?? closedGate)(query, bytes, source, state.isTcp ? 'tcp' : 'udp', isZone)
  if (verdict === HAND_OVER) return HAND_OVER
  return verdict === RCODE.BADKEY ? putUnknownKey(state, refuse(state, RCODE.NOTAUTH)) : refuse(state, verdict)
}

/** A fault of ours: counted, told, and answered SERVFAIL. */
function ownTrouble(state: State, error: unknown): number {
  const { query, counters, options } = state
  counters[COUNT.ERRORS]!++
  state.failOpen = false
  state.scope = 0
  options.onError?.(error, query.questionEnd === 0 ? messageOf(error) : nameToText(query.name.lower.subarray(0, query.name.length)))
  return refuse(state, RCODE.SERVFAIL)
}
