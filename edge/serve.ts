import { OWN_PATHS } from '../core/latency-report.ts'
import { never } from '../core/trouble.ts'
import { ageAt, Fill, isFresh, lengthOf, lookup, mayBeStale, partsKey, readRequestControl, staleFor, unpackParts, type RequestControl, type StoredObject } from './cache/index.ts'
import { answerPage, pageFor } from './answer-page.ts'
import { chooseBehaviour, viewerOf, type Viewer } from './asked.ts'
import { bringUp, MOST_LOOKS } from './bring.ts'
import { collect, inCoding, mustDecode } from './coded.ts'
import type { Coming, Outcome, Plan, Waiter } from './coming.ts'
import { isForPart, isOther, isTogether, partOf, runOf, type Company } from './company.ts'
import { sharedHead, statusOf } from './crowd.ts'
import { Flight, flightName } from './flight.ts'
import { answerJoined, askingFor, gapOf, type Gap } from './gap.ts'
import { hitStatus, interimHead, makeId, renderHead, type Way } from './head.ts'
import { fieldName, mayHaveField, requestField, type Connection, type RequestHead } from './http/index.ts'
import { fromLines } from './message/index.ts'
import { sentField, upstreamFields } from './question.ts'
import { answerOwn } from './own.ts'
import { pass } from './pass.ts'
import { bringRun, heldParts, isInMemory, runsOf } from './parts.ts'
import { mayReach } from './policies/index.ts'
import { settlePurges } from './purges.ts'
import { refusalOf } from './refused.ts'
import { relay } from './relay.ts'
import { sendRuns } from './runs.ts'
import { sendFromDisk } from './send-from-disk.ts'
import { BUSY, noAnswer, say, type Words } from './say.ts'
import { answer304, answerPart, answerPlain, answerUnsatisfiable, mayAnswer304, mayGoWhole, partHead, proofOf, rangeOf, wayOf } from './shown.ts'
import { HELD_FIELD, TIER_FIELD } from './tiers/index.ts'
import { upgradeOf } from './tunnel.ts'
import type { Worker } from './worker.ts'

// HOT: the life of a request, read downwards. What is here runs for each of them.

const AUTHORIZATION = fieldName('authorization')
const CACHE_CONTROL = fieldName('cache-control')
const IF_MODIFIED_SINCE = fieldName('if-modified-since')
const HELD = fieldName(HELD_FIELD)
const RANGE = fieldName('range')
const REQUEST_ID = fieldName('x-nearcast-request-id')
const TIER = fieldName(TIER_FIELD)
/** Fields by which a hit may be something else than the whole, or its head where its tag is known. */
const NOT_PLAIN = new Set([CACHE_CONTROL.hash, IF_MODIFIED_SINCE.hash, RANGE.hash])

const HEALTH_PATH = '/healthz'
const HEALTHY: Words = { status: 200, text: 'ok' }
const STRANGER: Words = { status: 403, text: 'this cache answers the other caches of its fleet only' }

/**
 * Answers a request.
 *
 * `/healthz` is the worker's own under every Host that is no distribution's (the checks send the worker's address), so
 * that it never stands before a distribution's own page; at regionals and shields it is so for all but tiers. What lies
 * under `/.nearcast/` is an edge's own under every Host.
 */
export function serve(worker: Worker, request: RequestHead, reply: Connection): void {
  // One comparison, for nearly all: the rest of the prefix follows only where the second character is its full stop.
  if (worker.viewers !== undefined && request.target.charCodeAt(1) === 0x2e && request.target.startsWith(OWN_PATHS)) return answerOwn(worker, worker.viewers, request, reply)
  const site = worker.sites.get(request.host)
  let nonce: string | undefined
  if (worker.role !== 'edge') {
    nonce = worker.auth.accept(requestField(request, TIER), request, worker.clock.now())
    if (nonce === undefined) return request.target === HEALTH_PATH ? say(worker, request, reply, HEALTHY) : say(worker, request, reply, STRANGER)
  } else if (site === undefined && request.target === HEALTH_PATH) return say(worker, request, reply, HEALTHY)
  else if (worker.hasEquals) nonce = worker.auth.accept(requestField(request, TIER), request, worker.clock.now())

  worker.counters.requests++
  const behaviour = site === undefined ? undefined : chooseBehaviour(site, request, nonce)
  const refusal = refusalOf(worker, request, site, behaviour)
  if (refusal !== undefined || site === undefined || behaviour === undefined) return say(worker, request, reply, refusal!, nonce)

  const viewer = viewerOf(worker, site, behaviour, { request, reply, nonce })
  if ((request.method === 'GET' || request.method === 'HEAD') && !behaviour.bypass && !(request.upgrades && upgradeOf(worker, request) !== undefined)) {
    if (nonce !== undefined && isBehind(worker, request)) return say(worker, request, reply, NOT_HELD, nonce)
    const turn = worker.crew?.turn(viewer)
    if (turn === undefined) return answer(worker, viewer)
    return turn === 'carried' ? undefined : hit(turn.desk, viewer, turn.key, turn.object, worker.clock.now())
  }
  nameRequest(worker, viewer)
  pass(worker, viewer, site)
}

const NOT_HELD: Words = { status: 504, text: 'it is not held here, and the request says only-if-cached' }

/** An equal that asks for what is held here knows of a purge that has not come to us: what we hold may be what it has just dropped. */
const isBehind = ({ purges }: Worker, request: RequestHead): boolean => Number(requestField(request, HELD) ?? 0) > purges.last

/** Looks up what is wanted, and answers from memory, from disk or by a fetch. @param looks how often it was looked for on disk */
function answer(worker: Worker, viewer: Viewer, looks = 0): void {
  const now = worker.clock.now()
  const found = lookup(worker.store, viewer.primary, (name) => sentField(worker, viewer, name), now)
  viewer.key = found.key
  if ('object' in found && found.object.generation < worker.purges.last && settlePurges(worker, found.key, found.object)) return answer(worker, viewer, looks)
  switch (found.kind) {
    case 'fresh':
      return hit(worker, viewer, found.key, found.object, now)
    case 'stale':
      if (staleFor(found.object, now) < found.object.whileRevalidating) {
        refreshBehind(worker, viewer, found.key, found.object, now)
        return answerFromHeld(worker, viewer, found.object, now)
      }
      if (isWelcomeStale(viewer, found.object, now)) return answerFromHeld(worker, viewer, found.object, now)
      // What must be asked about each time is asked about by each request.
      return fetch(worker, viewer, found.key, 'stale', found.object, found.object.lifetime > 0 ? 'together' : 'alone')
    case 'miss':
      if (bringUp(worker, viewer.reply, found.key, looks, (looks) => answer(worker, viewer, looks))) return
      if (answerParts(worker, viewer, found.key, looks)) return
      return fetch(worker, viewer, found.key, found.vary ? 'vary-miss' : 'uri-miss', undefined, 'together')
    case 'pass':
      if (answerParts(worker, viewer, found.key, looks)) return
      return fetch(worker, viewer, found.key, 'uri-miss', undefined, partOf(viewer) === undefined ? 'alone' : 'for a part')
    default:
      return never(found)
  }
}

/**
 * Answers a request for a part from the parts that are held, or fetches the part, where any are: the whole cannot be held then.
 * @returns false where none are held, or it is no part that is wanted
 */
function answerParts(worker: Worker, viewer: Viewer, key: string, looks: number): boolean {
  const { reply } = viewer
  if (partOf(viewer) === undefined || viewer.page !== undefined) return false
  const list = heldParts(worker, key)
  if (list === undefined) return bringUp(worker, reply, partsKey(key), looks, (looks) => answer(worker, viewer, looks))
  const parts = unpackParts(list.body)
  const range = rangeOf(worker, viewer, { ...list, status: 200 }, parts.length)
  if (range === undefined) return false
  const now = worker.clock.now()
  const isHeld = range === 'unsatisfiable' || runsOf(worker, key, parts, range) !== undefined
  if (!isHeld && looks < MOST_LOOKS && bringRun(worker, viewer, key, parts, range, () => answer(worker, viewer, looks + 1))) return true
  const gap = isHeld ? undefined : gapOf(worker, key, list, parts, range)
  if (!isHeld) fetch(worker, viewer, key, gap === undefined ? 'uri-miss' : 'partial', undefined, 'for a part, together', gap)
  else if (isFresh(list, now) || isWelcomeStale(viewer, list, now)) answerFromHeld(worker, viewer, list, now)
  else fetch(worker, viewer, key, 'stale', list, 'for a part, together')
  return true
}

/** Answers with a part out of those that are held; where one of them has just left, by a fetch of the part. */
function answerHeldPart(worker: Worker, viewer: Viewer, list: StoredObject, cache: Way['cache'], status: string): void {
  const { key } = viewer
  const parts = unpackParts(list.body)
  const range = rangeOf(worker, viewer, { ...list, status: 200 }, parts.length)
  const way = wayOf(worker, viewer, cache, status, Math.floor(ageAt(list, worker.clock.now()) / 1000), list.tags)
  if (range === 'unsatisfiable') return answerUnsatisfiable(worker, viewer, parts.length, way.id)
  const runs = range === undefined ? undefined : runsOf(worker, key, parts, range)
  if (range === undefined || runs === undefined) return fetch(worker, viewer, key, 'uri-miss', undefined, partOf(viewer) === undefined ? 'alone' : 'for a part')
  if (mayAnswer304(worker, viewer, list)) return answer304(worker, viewer, list.lines, way)
  if (runs.every(isInMemory)) return answerPart(worker, viewer, list.lines, range, runs, parts.length, way)
  sendRuns(worker, viewer, partHead(worker, viewer, list.lines, range, parts.length, way), runs, () => answer(worker, viewer))
}

/** Answers from memory. The plain case renders nothing and is one copy and one write. */
function hit(worker: Worker, viewer: Viewer, key: string, object: StoredObject, now: number): void {
  const { request, reply } = viewer
  worker.crew?.lend(viewer, key, object)
  const plain = request.method === 'GET' && request.minor === 1 && viewer.nonce === undefined && !reply.closesAfter && object.status < 400 && viewer.page === undefined
  if (plain && !mayHaveField(request, NOT_PLAIN)) {
    return inCoding(worker, viewer, object, (shown) => {
      if (!answerPlain(worker, viewer, shown, now)) answerFromHeld(worker, viewer, object, now)
    })
  }
  const { minFresh } = wishesOf(viewer)
  // However many ask for it to be fresher, the origin is asked no more often than behind stale answers.
  if (minFresh > 0 && -staleFor(object, now) < minFresh && now - object.askedAt >= BEHIND_MS) {
    object.askedAt = now
    return fetch(worker, viewer, key, 'stale', object, 'together')
  }
  // Who shall answer, where the coding is still to be made, is known before a hit is counted.
  if (worker.leaveToOwner !== undefined) return inCoding(worker, viewer, object, () => answerFromHeld(worker, viewer, object, now))
  answerFromHeld(worker, viewer, object, now)
}

function answerFromHeld(worker: Worker, viewer: Viewer, object: StoredObject, now: number): void {
  worker.counters.hits++
  answerStored(worker, viewer, object, 'Hit', hitStatus(worker, object, now))
}

const HELD_ALONE: RequestControl = { onlyIfCached: true, minFresh: 0, maxStale: -1 }
const NO_WISHES: RequestControl = { onlyIfCached: false, minFresh: 0, maxStale: -1 }

/** What a viewer says of the caching of its answer; a tier has its viewer's words before it, and acts on its own, but one that asks its equal wants what is held. */
function wishesOf({ request, nonce }: Viewer): RequestControl {
  if (nonce !== undefined) return requestField(request, HELD) === undefined ? NO_WISHES : HELD_ALONE
  const value = requestField(request, CACHE_CONTROL)
  return value === undefined ? NO_WISHES : readRequestControl(value)
}

/** The client says that it takes what has been stale for so long (RFC 9111 §5.2.1.2). */
function isWelcomeStale(viewer: Viewer, object: StoredObject, now: number): boolean {
  const { maxStale } = wishesOf(viewer)
  return maxStale >= 0 && mayBeStale(object, fromLines(object.lines), maxStale, now)
}

/** An origin that fails at once is asked no more often than this behind stale answers. */
const BEHIND_MS = 1000

/** Fetches anew what has just answered, for those who come later. */
function refreshBehind(worker: Worker, viewer: Viewer, key: string, object: StoredObject, now: number): void {
  if (now - object.askedAt < BEHIND_MS || worker.flights.has(key) || worker.underWay >= worker.mostFlights) return
  object.askedAt = now
  // Where nobody can be asked it is told before there is a flight.
  let isThere = false
  const waiter: Waiter = { valueOf: (name) => sentField(worker, viewer, name), tell: () => isThere && flight.stopIfUnwanted() }
  const flight: Flight = new Flight(worker, planOf(worker, viewer, key, object, 'together', isAuthorized(viewer)), waiter)
  isThere = true
}

/** Authorization reaches the origin, and whoever has another one would be answered from the same key. */
const isAuthorized = ({ request, behaviour: { policy } }: Viewer): boolean =>
  requestField(request, AUTHORIZATION) !== undefined && policy.headers?.(AUTHORIZATION.text) !== true && mayReach(policy, AUTHORIZATION.text)

function planOf(worker: Worker, viewer: Viewer, key: string, object: StoredObject | undefined, how: Company, authorized: boolean, gap?: Gap): Plan {
  const { request, behaviour, primary, target, parts } = viewer
  nameRequest(worker, viewer)
  const fields = gap === undefined ? upstreamFields(worker, viewer, isForPart(how) ? 'part' : 'cache') : [...upstreamFields(worker, viewer, 'cache'), ...askingFor(gap)]
  const { route, times, defaultIfError } = behaviour
  return { primary, key, parted: parts !== '', host: request.host, target, fields, route, times, defaultIfError, authorized, compression: worker.role === 'edge' ? viewer.behaviour.compression : undefined, run: runOf(viewer, how, gap), object, open: isTogether(how) && !authorized }
}

/** Why a request is sent on, in the words of Cache-Status (RFC 9211 §2.2). */
type Forward = 'uri-miss' | 'vary-miss' | 'stale' | 'partial'

/** Gives the request its id; a tier that asks has named it already. */
function nameRequest(worker: Worker, viewer: Viewer): string {
  viewer.id ??= (viewer.nonce === undefined ? undefined : requestField(viewer.request, REQUEST_ID)) ?? makeId(worker)
  return viewer.id
}

/** Joins the fetch of what is wanted, or begins one, and answers with what it comes to. @param gap what is missing of a part: that alone is fetched */
function fetch(worker: Worker, viewer: Viewer, key: string, why: Forward, object: StoredObject | undefined, how: Company, gap?: Gap): void {
  const { request, reply } = viewer
  const id = nameRequest(worker, viewer)
  if (wishesOf(viewer).onlyIfCached) return say(worker, request, reply, NOT_HELD, viewer.nonce, id)
  const authorized = isAuthorized(viewer)
  const open = isTogether(how) && !authorized
  const waiter: Waiter = {
    valueOf: (name) => sentField(worker, viewer, name),
    inform: (status, fields) => reply.inform(interimHead(status, fields)),
    giveUp: () => reply.abort(),
    tell: (outcome) => {
      const leave = (): void => flight.leave(waiter)
      if (gap !== undefined && outcome.kind === 'coming' && answerGap(worker, viewer, gap, outcome, leave)) return
      answerOutcome(worker, viewer, why, how, outcome, leave, (how) => fetch(worker, viewer, key, why, object, how))
    }
  }
  const underWay = open ? worker.flights.get(flightName(key, runOf(viewer, how, gap))) : undefined
  const joined = underWay?.mayJoin(worker.clock.now()) === true ? underWay : undefined
  if (joined === undefined && worker.underWay >= worker.mostFlights) {
    worker.counters.errors++
    return say(worker, request, reply, BUSY, viewer.nonce, id)
  }
  const flight: Flight = joined ?? new Flight(worker, planOf(worker, viewer, key, object, how, authorized, gap), waiter)
  reply.watch({ drained: () => undefined, gone: () => flight.leave(waiter) })
  joined?.join(waiter)
}

/**
 * Answers with what is held of a part and what comes of the rest, as one; where they are of different representations, with the new one.
 * @returns false where it is an error that came, or the client has it already: that is answered as any other
 */
function answerGap(worker: Worker, viewer: Viewer, gap: Gap, { coming, leader }: Outcome & { readonly kind: 'coming' }, leave: () => void): boolean {
  const forward = `fwd=partial${leader ? '' : '; collapsed'}`
  const getPart = (): void => fetch(worker, viewer, gap.key, 'uri-miss', undefined, 'for a part')
  if (coming.status === 200) answerComing(worker, viewer, coming, forward, leave, getPart)
  else if (coming.status === 206 && mayAnswer304(worker, viewer, coming)) return false
  else if (coming.status === 206 && answerJoined(worker, viewer, gap, coming, statusOf(worker, coming, forward), leave)) return true
  else if (coming.status !== 206 && coming.status !== 416) return false
  else {
    leave()
    getPart()
  }
  return true
}

function answerOutcome(worker: Worker, viewer: Viewer, why: Forward, how: Company, outcome: Outcome, leave: () => void, again: (how: Company) => void): void {
  const { request, reply } = viewer
  switch (outcome.kind) {
    case 'coming':
      return answerComing(worker, viewer, outcome.coming, `fwd=${why}${outcome.leader ? '' : '; collapsed'}`, leave, isForPart(how) ? undefined : () => again('for a part'))
    case 'standing-in': {
      const { object, instead } = outcome
      worker.complain(`${request.target} is answered with what is held, in place of ${instead}`)
      const ttl = Math.ceil(-staleFor(object, worker.clock.now()) / 1000)
      const reason = /^\d/.test(instead) ? `fwd-status=${instead}` : `detail=${instead}`
      return answerStored(worker, viewer, object, 'Hit', `${worker.node}; fwd=${why}; ${reason}; ttl=${ttl}`)
    }
    case 'refreshed': {
      const { object, statusAbove } = outcome
      const ttl = Math.ceil((object.lifetime - ageAt(object, worker.clock.now())) / 1000)
      const own = `${worker.node}; fwd=${why}; fwd-status=304; ttl=${ttl}${outcome.leader ? '' : '; collapsed'}`
      return answerStored(worker, viewer, object, 'RefreshHit', statusAbove === undefined ? own : `${statusAbove}, ${own}`)
    }
    case 'released':
      return again(isForPart(how) ? 'for a part' : 'alone')
    case 'other-variant':
      return answer(worker, viewer)
    case 'failed': {
      worker.counters.errors++
      const { trouble, parent } = outcome
      worker.complain(`no answer to ${request.target}: ${parent.name}: ${trouble.detail}`)
      const words = noAnswer(trouble, parent)
      const status = `${worker.node}; fwd=${why}; detail=${trouble.kind}`
      const instead = (): void => say(worker, request, reply, { ...words, lines: `Cache-Status: ${status}\r\n` }, viewer.nonce, viewer.id)
      return answerError(worker, viewer, words.status, status, instead) ? undefined : instead()
    }
    default:
      return never(outcome)
  }
}

/** Answers an error with the page that stands in for it, if there is one; an error in place of a page with the error that it stood for. */
function answerError(worker: Worker, viewer: Viewer, status: number, forward: string, instead: () => void): boolean {
  if (viewer.page !== undefined && status !== 200) {
    viewer.page.instead()
    return true
  }
  const page = pageFor(viewer, status)
  if (page === undefined) return false
  nameRequest(worker, viewer)
  answerPage(worker, viewer, page, forward, (own) => answer(worker, own), instead)
  return true
}

/** Says a status in our own words. */
const sayStatus = (worker: Worker, { request, reply, nonce, id }: Viewer, status: number): void => say(worker, request, reply, { status, text: 'so the origin says' }, nonce, id)

/** Answers with a response while it comes from above. */
function answerComing(worker: Worker, viewer: Viewer, coming: Coming, forward: string, leave: () => void, getPart: (() => void) | undefined): void {
  const { request, reply } = viewer
  const shared = sharedHead(worker, viewer, coming, forward)
  if (shared !== undefined) return relay(worker, reply, shared, coming.length === undefined ? 'chunked' : 'length', coming.fill, leave)
  const status = statusOf(worker, coming, forward)
  if (answerError(worker, viewer, coming.status, status, () => sayStatus(worker, viewer, coming.status))) return leave()
  const way = wayOf(worker, viewer, 'Miss', status, coming.age, coming.tags)
  if (getPart !== undefined && coming.part !== undefined && isOther(viewer, coming.part)) {
    leave()
    return getPart()
  }
  const lines = coming.lines + coming.alone
  if (mayAnswer304(worker, viewer, coming)) {
    answer304(worker, viewer, lines, way)
    return leave()
  }
  const { length } = coming
  const range = length === undefined ? undefined : rangeOf(worker, viewer, coming, length)
  if (range === 'unsatisfiable') {
    answerUnsatisfiable(worker, viewer, length!, way.id)
    return leave()
  }
  if (range !== undefined && getPart !== undefined && !('freshness' in coming.stored)) {
    // What stands before the part would be fetched for nothing.
    leave()
    return getPart()
  }
  if (range === undefined && coming.part === undefined && mustDecode(worker, viewer, coming)) return collect(worker, viewer, coming, leave, (object) => answerStored(worker, viewer, object, 'Miss', status, coming.alone))
  if (range !== undefined) return relay(worker, reply, partHead(worker, viewer, lines, range, length!, way), 'length', coming.fill, leave, range)
  const bodiless = request.method === 'HEAD' || coming.status === 204
  const framing = length !== undefined || bodiless ? 'length' : request.minor === 1 ? 'chunked' : 'close'
  const proof = proofOf(worker, viewer, coming.status)
  const head = renderHead(worker, viewer.page?.status ?? coming.status, lines, { ...(length === undefined || coming.status === 204 ? {} : { length }), chunked: framing === 'chunked' }, { ...way, proof, close: way.close || framing === 'close' })
  if (!bodiless) return relay(worker, reply, head, framing, coming.fill, leave)
  reply.whole(head)
  leave()
}

/** Answers with a response that is held, in the coding that the viewer takes. @param alone field lines for this viewer, which are not held */
function answerStored(worker: Worker, viewer: Viewer, object: StoredObject, cache: Way['cache'], status: string, alone = ''): void {
  if (answerError(worker, viewer, object.status, status, () => sayStatus(worker, viewer, object.status))) return
  if (object.status === 206) return answerHeldPart(worker, viewer, object, cache, status)
  inCoding(worker, viewer, object, (shown) => answerShown(worker, viewer, alone === '' ? shown : { ...shown, lines: shown.lines + alone }, cache, status))
}

/** All of it, its head, a part, or that it has not changed. */
function answerShown(worker: Worker, viewer: Viewer, object: StoredObject, cache: Way['cache'], status: string): void {
  const { request, reply } = viewer
  const way = wayOf(worker, viewer, cache, status, Math.floor(ageAt(object, worker.clock.now()) / 1000), object.tags)
  if (mayAnswer304(worker, viewer, object)) return answer304(worker, viewer, object.lines, way)
  const length = lengthOf(object)
  const range = rangeOf(worker, viewer, object, length)
  if (range === 'unsatisfiable') return answerUnsatisfiable(worker, viewer, length, way.id)
  if (range !== undefined && object.onDisk !== undefined) return sendFromDisk(worker, viewer, object.onDisk, partHead(worker, viewer, object.lines, range, length, way), () => answer(worker, viewer), range)
  if (range !== undefined) return answerPart(worker, viewer, object.lines, range, [object.body.subarray(range.first, range.last + 1)], length, way)
  const head = renderHead(worker, viewer.page?.status ?? object.status, object.lines, object.status === 204 ? {} : { length }, { ...way, proof: proofOf(worker, viewer, object.status) })
  if (request.method === 'HEAD' || length === 0) reply.whole(head)
  else if (object.onDisk !== undefined) sendFromDisk(worker, viewer, object.onDisk, head, () => answer(worker, viewer))
  else if (mayGoWhole(reply, object.body)) reply.whole(head, object.body)
  else relay(worker, reply, head, 'length', Fill.of(object.body), () => undefined)
}
