import { messageOf } from '../core/trouble.ts'
import {
  assemble, COUNT, ENTRY, findForClass, findPrepared, finish, forgetAll, forgetImage, HEADER, isAskedAgain, isKeepable, keepEntry, keepVariant, makeAssembly, makeCounters, makePrepared,
  movePointers, optLength, OUTCOMES, putBody, putWords, shareEntry, STATE, UDP_PAYLOAD, VARIANT, variantsOf, type Assembly, type Exchange, type Prepared, type Steered
} from './answer/index.ts'
import { beginReply, CLASS, makeQuery, nameToText, parseQuery, RCODE, SILENCE, TYPE, writeRecord, type Query } from './wire/index.ts'
import type { World } from './world.ts'
import { judge, locate, makeFinding, NODE, nodeWord, RRSET, rrsetWord, type Finding } from './zone/index.ts'

// The life of a query, from its bytes to those of the reply: read `respond` first, then downwards.

/** Where a query came from. */
export interface Source {
  readonly family: 4 | 6
  /** 4 or 16 octets from `at`. */
  readonly bytes: Uint8Array
  readonly at: number
}

export type Transport = 'udp' | 'tcp'

export interface AnswererOptions {
  readonly world: World
  /** Told to whoever asks for NSID (RFC 5001) or, in class CHAOS, for id.server and hostname.bind (RFC 4892). Absent: nobody is told. */
  readonly serverId?: string
  /** Told to whoever asks for version.bind in class CHAOS. Absent: REFUSED. */
  readonly version?: string
  /** Our own trouble, with the question it came with. The client got SERVFAIL. */
  readonly onError?: (error: unknown, question: string) => void
  /** The slots of COUNTERS, in shared memory; a set of its own without. */
  readonly counters?: Float64Array
  /** Octets for answers kept ready. */
  readonly preparedSize?: number
  /** Starts the random choices between answers. */
  readonly seed?: number
}

/** Answers queries, one at a time; each thread has its own. */
export interface Answerer {
  readonly counters: Float64Array
  /** The query answered last, and where its name stood. */
  readonly last: { readonly query: Query; readonly finding: Finding }
  /** From now on answers come from this world. */
  use(world: World): void
  /**
   * Answers the query in query[start…], `length` octets. Never throws.
   * @param out another array than `query`, or a part of it that lies apart
   * @param outSize octets the reply may have there, at least 512
   * @returns octets of the reply in out[outStart…]; 0: say nothing
   */
  answer(query: Uint8Array, start: number, length: number, source: Source, transport: Transport, out: Uint8Array, outStart: number, outSize: number): number
  /** Writes another reply to the query answered last, in the place of the first: truncated, with nothing in it. @returns its octets */
  truncate(): number
}

/** What one answerer works with; the lower half belongs to the query at hand. */
interface State extends Exchange {
  world: World
  healthGeneration: number
  readonly options: AnswererOptions
  readonly prepared: Prepared
  readonly finding: Finding
  readonly assembly: Assembly
  readonly steer: (rrset: number) => Steered
  random: number
  readonly address: Uint8Array

  source: Source
  isTcp: boolean
  /** Of the routed name in the answer, once one is met: its policy, or -1; its place class, or -1 when the place has no say. */
  policy: number
  placeClass: number
  steered: Steered | undefined
}

const PREPARED_SIZE = 16 << 20
/** Octets of a text that says who we are: it fits into the smallest packet beside the longest question. */
const LONGEST_TEXT = 128

/** What sort of key stands in the table of prepared answers, beside the type << 2. */
const KIND = { EXACT: 0, WILDCARD: 1, DELEGATION: 2, NXDOMAIN: 3 } as const
/** In place of the type: the name asked for is the cut itself. */
const AT_CUT = 1 << 2
/** In place of the type: every type that a name has not. */
const NO_DATA = 0x10000

export function makeAnswerer(options: AnswererOptions): Answerer {
  const nowhere = new Uint8Array(0)
  const noView = new DataView(nowhere.buffer)
  const state: State = {
    world: options.world, healthGeneration: Atomics.load(options.world.health.generation, 0), options, serverId: Buffer.from(options.serverId ?? '').subarray(0, LONGEST_TEXT),
    counters: options.counters ?? makeCounters(), prepared: makePrepared(options.preparedSize ?? PREPARED_SIZE),
    query: makeQuery(), finding: makeFinding(), assembly: makeAssembly(), steer: (rrset) => steer(state, rrset),
    random: (options.seed ?? 0x6d2b79f5) | 1, address: new Uint8Array(16),
    bytes: nowhere, view: noView, source: { family: 4, bytes: nowhere, at: 0 }, isTcp: false, out: nowhere, outView: noView, outStart: 0, room: 0,
    scope: 0, policy: -1, placeClass: -1, failOpen: false, steered: undefined
  }
  return {
    counters: state.counters,
    last: { query: state.query, finding: state.finding },
    truncate: () => truncate(state),
    use(world) {
      state.world = world
      forgetAll(state.prepared)
      forgetImage(state.assembly)
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
      state.source = source
      state.isTcp = transport === 'tcp'
      state.outStart = outStart
      state.room = outSize
      try {
        return respond(state, start, length)
      } catch (error) {
        return ownTrouble(state, error)
      }
    }
  }
}

function respond(state: State, start: number, length: number): number {
  const { query, counters } = state
  counters[COUNT.QUERIES]!++
  counters[state.isTcp ? COUNT.TCP : COUNT.UDP]!++
  state.scope = 0
  state.policy = -1
  state.failOpen = false
  const fault = parseQuery(state.bytes, start, length, query)
  if (fault === SILENCE) {
    counters[COUNT.SILENT]!++
    return 0
  }
  if (query.edns) counters[COUNT.EDNS]!++
  if (query.subnetAt !== 0) counters[COUNT.SUBNET]!++
  const largest = state.isTcp ? 65535 : query.payload < UDP_PAYLOAD ? query.payload : UDP_PAYLOAD
  if (state.room > largest) state.room = largest
  if (fault !== RCODE.NOERROR) return refuse(state, fault)
  if (query.class !== CLASS.IN) return query.class === CLASS.CH ? introduce(state) : refuse(state, RCODE.REFUSED)
  if (query.type === TYPE.AXFR || query.type === TYPE.IXFR) return refuseTransfer(state)

  dropStale(state)
  const { finding, world } = state
  locate(world.zones, query.name, query.type, finding)
  // ANY over TCP is told all (RFC 8482 §4.4), and not from what is kept for UDP.
  if (query.type === TYPE.ANY && state.isTcp && finding.standing !== 'not ours') return theLongWay(state, 0, -1)
  switch (finding.standing) {
    case 'not ours':
      counters[COUNT.OUTCOME]!++
      return refuse(state, RCODE.REFUSED)
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
      return theLongWay(state, 0, -1)
  }
}

/** What is kept ready holds for one state of health. */
function dropStale(state: State): void {
  // A plain read: it may come late by a moment, as the packet might have come early.
  const generation = state.world.health.generation[0]!
  if (generation === state.healthGeneration) return
  state.healthGeneration = generation
  forgetAll(state.prepared)
}

/** The answer kept ready for the node and, when a policy looks at places, the class of the client's. */
function fromPrepared(state: State, node: number, kind: number): number {
  const { prepared, world } = state
  let entry = findPrepared(prepared, node, kind, 0)
  if (entry < 0) return fromNoData(state, node, kind)
  if ((prepared.words[entry]! & STATE.STEERED) !== 0) {
    const policy = prepared.words[entry + ENTRY.POLICY]!
    entry = findForClass(prepared, entry, node, kind, world.routing.classOf(policy, placeOf(state)))
    if (entry < 0) return theLongWay(state, node, kind)
  }
  return sendPrepared(state, entry)
}

/** All the types that a name has not share one answer. */
function fromNoData(state: State, node: number, kind: number): number {
  const { finding, query, world, prepared } = state
  if ((kind & KIND.DELEGATION) === 0) {
    judge(world.zones, query.type, finding)
    if (finding.outcome === 'nodata' && query.type !== TYPE.ANY) {
      const noData = (kind & 3) | (NO_DATA << 2)
      const entry = findPrepared(prepared, node, noData, 0)
      return entry < 0 ? theLongWay(state, node, noData) : sendPrepared(state, entry)
    }
  }
  return theLongWay(state, node, kind)
}

function sendPrepared(state: State, entry: number): number {
  const { words, bytes } = state.prepared
  const flags = words[entry]!
  let at = entry + ENTRY.WORDS
  if (words[entry + ENTRY.COUNT] !== 1) {
    const pick = nextRandom(state)
    while (pick > words[at + VARIANT.UP_TO]! >>> 0) at += VARIANT.WORDS
  }
  const length = words[at + VARIANT.LENGTH]!
  if (HEADER + state.query.name.length + 4 + length + optLength(state) > state.room) return theLongWay(state, 0, -1)
  state.counters[COUNT.PREPARED]!++
  state.failOpen = (flags & STATE.FAIL_OPEN) !== 0
  const body = words[at + VARIANT.BODY]!
  const end = putWords(state, words, body, length)
  const moved = state.query.name.length - words[entry + ENTRY.NAME]!
  if (moved !== 0) movePointers(state, bytes, body + length, words[at + VARIANT.MORE]! >>> 16, moved)
  state.counters[COUNT.OUTCOME + ((flags >>> 8) & 0xff)]!++
  return finish(state, flags & 0xff, (flags & STATE.AUTHORITATIVE) !== 0, false, words[at + VARIANT.COUNTS]!, words[at + VARIANT.MORE]! & 0xffff, end)
}

/** Puts the answer together from the zones, and keeps it ready when it is one that may come again. `kind` -1: it is not. */
function theLongWay(state: State, node: number, kind: number): number {
  const { assembly, query, world } = state
  const { reply } = assembly
  state.steered = undefined
  state.policy = -1
  state.failOpen = false
  state.scope = 0
  const limit = state.room - optLength(state)
  assemble(assembly, world.zones, query, state.isTcp, limit, state.steer, 0)
  const entry = kind < 0 ? -1 : keep(state, node, kind, limit)
  if (entry >= 0) return sendPrepared(state, entry)
  const { variants } = (state.steered as Steered | undefined) ?? NO_CHOICE
  if (variants.length > 1) {
    const pick = nextRandom(state)
    assemble(assembly, world.zones, query, state.isTcp, limit, state.steer, variants.findIndex(({ upTo }) => pick <= upTo))
  }
  const bodyAt = HEADER + query.name.length + 4
  const end = putBody(state, reply.bytes, bodyAt, reply.at - bodyAt)
  state.counters[COUNT.OUTCOME + OUTCOMES.indexOf(assembly.outcome)]!++
  return finish(state, assembly.rcode, assembly.authoritative, reply.truncated, reply.answers | (reply.authorities << 16), reply.additionals, end)
}

const NO_CHOICE: Steered = { variants: [], longestTtl: Infinity }

/** Keeps what has just been put together; a choice with all its variants. @returns the entry, or -1 when it is not kept */
function keep(state: State, node: number, kind: number, limit: number): number {
  const { assembly, prepared, query, world, policy } = state
  const { reply } = assembly
  const bodyAt = HEADER + query.name.length + 4
  if (assembly.single || assembly.rcode === RCODE.SERVFAIL || !isKeepable(reply, bodyAt)) return -1
  if (policy < 0 && !isAskedAgain(prepared, node, kind)) return -1
  const flags =
    assembly.rcode | (OUTCOMES.indexOf(assembly.outcome) << 8) | (assembly.authoritative ? STATE.AUTHORITATIVE : 0) | (state.failOpen ? STATE.FAIL_OPEN : 0)
  const variants = state.steered?.variants ?? []
  const placeClass = policy < 0 ? -1 : state.placeClass
  const entry = keepEntry(prepared, node, kind, placeClass, flags, policy, query.name.length, Math.max(1, variants.length))
  if (entry < 0) return -1
  keepVariant(prepared, entry, 0, variants[0]?.upTo ?? 0xffffffff, reply, bodyAt)
  for (let variant = 1; variant < variants.length; variant++) {
    assemble(assembly, world.zones, query, state.isTcp, limit, state.steer, variant)
    if (!isKeepable(reply, bodyAt)) {
      forgetAll(prepared)
      return -1
    }
    keepVariant(prepared, entry, variant, variants[variant]!.upTo, reply, bodyAt)
  }
  return variants.length > 1 ? entry : shareEntry(prepared, node, kind, placeClass, entry)
}

/** What the policy of a ROUTE record allows this client, under the health of now. Asked once for a query. */
function steer(state: State, rrset: number): Steered {
  if (state.steered !== undefined) return state.steered
  const { world, query } = state
  const { routing } = world
  const at = rrsetWord(world.zones, rrset, RRSET.DATA) + 2
  const name = Buffer.from(world.zones.bytes.slice(at, at - 2 + rrsetWord(world.zones, rrset, RRSET.LENGTH))).toString('latin1')
  const policy = routing.find(name)
  if (policy === undefined) throw new Error(`there is no policy ${name}`)
  const usesPlace = routing.usesPlace(policy)
  const placeClass = routing.classOf(policy, usesPlace ? placeOf(state) : 0)
  const family = query.type === TYPE.A ? 4 : query.type === TYPE.AAAA ? 6 : undefined
  const choice = routing.choose(policy, placeClass, world.health, family)
  state.policy = policy
  state.placeClass = usesPlace ? placeClass : -1
  state.failOpen = choice.failOpen
  state.steered = { variants: variantsOf(choice, world.targets, query.type), longestTtl: choice.unsettled ? world.suspectTtl : Infinity }
  return state.steered
}

/** Where the client is: by its subnet when the query has one, else by the address it came from. Sets the scope the answer will hold for. */
function placeOf(state: State): number {
  const { query, source, world } = state
  // A source prefix of 0 asks us to look at no address but the resolver's, and holds for everybody (RFC 7871 §7.1.2).
  if (query.subnetAt === 0 || query.subnetSource === 0) return placeOfAddress(world, source.family, source.bytes, source.at) >>> 8
  const { bytes, address } = state
  const { subnetAt, subnetOctets } = query
  const octets = query.subnetFamily === 1 ? 4 : 16
  for (let octet = 0; octet < octets; octet++) address[octet] = octet < subnetOctets ? bytes[subnetAt + 4 + octet]! : 0
  const found = placeOfAddress(world, query.subnetFamily === 1 ? 4 : 6, address, 0)
  state.scope = found & 0xff
  return found >>> 8
}

function placeOfAddress(world: World, family: 4 | 6, bytes: Uint8Array, at: number): number {
  if (family === 6) return world.places.find6(bytes, at)
  return world.places.find4(((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0)
}

/** xorshift32: good enough to share out answers, and without allocation. */
function nextRandom(state: State): number {
  let x = state.random
  x ^= x << 13
  x ^= x >>> 17
  x ^= x << 5
  state.random = x
  return x >>> 0
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

/** Zones are transferred to nobody; a whole zone has no form over UDP (RFC 5936 §4.2), and a name that is no zone's has none to give (§2.2.1). */
function refuseTransfer(state: State): number {
  const { query, world, finding } = state
  if (query.type === TYPE.AXFR && !state.isTcp) return refuse(state, RCODE.NOTIMP)
  locate(world.zones, query.name, TYPE.SOA, finding)
  const isZone = finding.standing === 'exact' && nodeWord(world.zones, finding.node, NODE.APEX) === finding.node
  return refuse(state, isZone ? RCODE.REFUSED : RCODE.NOTAUTH)
}

/** Class CHAOS: who we are, to the extent that the operator lets us say (RFC 4892). */
function introduce(state: State): number {
  const { query, assembly, options } = state
  const name = nameToText(query.name.lower.subarray(0, query.name.length))
  const text = name === 'version.bind.' || name === 'version.server.' ? options.version : name === 'id.server.' || name === 'hostname.bind.' ? options.serverId : undefined
  if (text === undefined || query.type !== TYPE.TXT) return refuse(state, RCODE.REFUSED)
  const { reply } = assembly
  const bodyAt = HEADER + query.name.length + 4
  const octets = Buffer.from(text).subarray(0, LONGEST_TEXT)
  const rdata = Buffer.concat([Buffer.of(octets.length), octets])
  beginReply(reply, query.name, query.name.labels, state.room)
  writeRecord(reply, { pointer: HEADER, bytes: rdata, at: 0 }, TYPE.TXT, 0, rdata, 0, rdata.length)
  reply.bytes[bodyAt + 5] = CLASS.CH
  return finish(state, RCODE.NOERROR, true, false, 1, 0, putBody(state, reply.bytes, bodyAt, reply.at - bodyAt))
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
