import type { Viewer } from './asked.ts'
import { Fill, primaryKey } from './cache/index.ts'
import { interimHead, renderHead, type Way } from './head.ts'
import { requestField, fieldName, type Fetching, type RequestHead, type UpstreamTrouble } from './http/index.ts'
import { fieldOf, filterFields, toLines, type FieldList } from './message/index.ts'
import { passedOn } from './passed.ts'
import { upstreamFields } from './question.ts'
import { relay } from './relay.ts'
import { BUSY, noAnswer, say } from './say.ts'
import { readTarget } from './policies/index.ts'
import { behavioursFor, type Site } from './sites.ts'
import { beginUpgrade, openTunnel, type Tunnel, type Upgrade } from './tunnel.ts'
import { ask, guard, type Parent } from './tiers/index.ts'
import type { Worker } from './worker.ts'

// Requests that no cache answers: by their method they may have an effect, or their behaviour has it so. They pass through every tier to the origin, and what
// they have changed there is forgotten on the way back.

const EXPECT = fieldName('expect')
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])
/** Methods by which a request without content says so best by silence; the others say 0 (RFC 9110 §8.6). */
const SILENT = new Set(['DELETE', 'OPTIONS'])
/** Why a request was sent on, as Cache-Status has it. */
const forwardOf = ({ behaviour }: Viewer, upgrade: Upgrade | undefined): string => (upgrade !== undefined ? 'fwd=request' : behaviour.bypass ? 'fwd=bypass' : 'fwd=method')

/** Sends a request through, its content as it comes, and its answer back. */
export function pass(worker: Worker, viewer: Viewer, site: Site): void {
  const { request, reply, behaviour } = viewer
  const id = viewer.id!
  if (worker.underWay >= worker.mostFlights) {
    worker.counters.errors++
    return say(worker, request, reply, BUSY, viewer.nonce, id)
  }
  let isUnderWay = true
  let isSent = false
  const done = (): void => {
    if (isUnderWay && isSent) worker.underWay--
    isUnderWay = false
    if (tunnel === undefined) upgrade?.leave()
  }
  let isGone = false
  const stop = (): void => {
    isGone = true
    done()
    fetching.abort()
  }
  const upgrade = beginUpgrade(worker, request)
  const forward = forwardOf(viewer, upgrade)
  const expect = request.content !== 0 && isExpecting(request) ? ['Expect', '100-continue'] : []
  const fields = [...upstreamFields(worker, viewer, 'whole'), ...framingOf(request.method, request.content), ...(upgrade === undefined ? [] : ['Connection', 'Upgrade', 'Upgrade', upgrade.protocol]), ...expect]
  const fill = new Fill({ kept: false, flow: { pause: () => fetching.pause(), resume: () => fetching.resume() } })
  let begun = false
  let tunnel: Tunnel | undefined
  const respond = (status: number, fields: FieldList): void => {
    if (guard(worker, () => answerPassed(worker, viewer, { status, fields, forward }, fill, stop))) return
    stop()
    reply.abort()
  }
  const fetching: Fetching = ask(worker.asker, behaviour.route, { method: request.method, key: viewer.primary, host: request.host, target: request.target, fields, once: true }, {
    connected: () => sendContent(viewer, fetching, stop),
    drained: () => reply.resumeBody(),
    inform: (status, fields) => reply.inform(interimHead(status, fields)),
    head: (status, fields) => {
      begun = true
      if (status === 101) {
        tunnel = openTunnel(worker, viewer, upgrade!, fields, fetching)
        return done()
      }
      upgrade?.leave()
      const changed = SAFE.has(request.method) || status < 200 || status >= 400 ? [] : changedBy(viewer, site, fields)
      for (const primary of changed) worker.forget(primary)
      if (worker.crew === undefined || changed.length === 0) return respond(status, fields)
      fetching.pause()
      worker.crew.forget(changed, () => {
        if (isGone) return
        respond(status, fields)
        fetching.resume()
      })
    },
    data: (piece) => (tunnel === undefined ? fill.push(piece) : tunnel.data(piece)),
    end: () => {
      done()
      if (tunnel === undefined) fill.end()
      else tunnel.end()
    },
    trouble: (trouble, parent) => {
      done()
      if (tunnel !== undefined) tunnel.broken()
      else if (begun) fill.fail()
      else if (!guard(worker, () => answerTrouble(worker, viewer, trouble, parent, forward))) reply.abort()
    }
  })
  isSent = true
  if (isUnderWay) worker.underWay++
  reply.watch({ drained: () => undefined, gone: stop })
}

const isExpecting = (request: RequestHead): boolean => request.minor === 1 && requestField(request, EXPECT)?.toLowerCase() === '100-continue'

function framingOf(method: string, content: number | 'chunked'): FieldList {
  if (content === 'chunked') return ['Transfer-Encoding', 'chunked']
  return content === 0 && SILENT.has(method) ? [] : ['Content-Length', String(content)]
}

function sendContent({ request, reply }: Viewer, fetching: Fetching, stop: () => void): void {
  if (request.content === 0) return fetching.end()
  reply.readBody(
    {
      data: (piece) => {
        if (!fetching.write(piece)) reply.pauseBody()
      },
      end: () => fetching.end(),
      broken: stop
    },
    isExpecting(request)
  )
}

function answerPassed(worker: Worker, viewer: Viewer, { status, fields, forward }: { status: number; fields: FieldList; forward: string }, fill: Fill, stop: () => void): void {
  const { request, reply } = viewer
  const above = passedOn(worker.node, fields, worker.clock.now())
  const passed = worker.hidesTags ? filterFields(above, (name) => name !== 'cache-tag') : above
  const stated = fieldOf(fields, 'content-length')
  const bodiless = status === 204 || status === 304
  const framing = stated !== undefined || bodiless ? 'length' : request.minor === 1 ? 'chunked' : 'close'
  const statusAbove = fieldOf(fields, 'cache-status')
  const own = `${worker.node}; ${forward}`
  const close = reply.closesAfter || framing === 'close'
  const proof = viewer.nonce === undefined ? undefined : worker.auth.answer(viewer.nonce, status)
  const way: Way = { cache: 'Miss', status: statusAbove === undefined ? own : `${statusAbove}, ${own}`, id: viewer.id!, close, keepAlive: request.minor === 0 && !close, proof }
  const head = renderHead(worker, status, toLines(passed), { ...(stated === undefined || bodiless ? {} : { length: Number(stated) }), chunked: framing === 'chunked' }, way)
  if (!bodiless) return relay(worker, reply, head, framing, fill, () => { if (fill.state === 'open') stop() })
  reply.whole(head)
}

function answerTrouble(worker: Worker, viewer: Viewer, trouble: UpstreamTrouble, parent: Parent, forward: string): void {
  const { request, reply } = viewer
  worker.counters.errors++
  worker.complain(`no answer to ${request.method} ${request.target}: ${parent.name}: ${trouble.detail}`)
  say(worker, request, reply, { ...noAnswer(trouble, parent), lines: `Cache-Status: ${worker.node}; ${forward}; detail=${trouble.kind}\r\n` }, viewer.nonce, viewer.id)
}

/** What an answer to a request that may have an effect makes void: what is held of the target, and of what the answer says is elsewhere on the same host (RFC 9111 §4.4). */
function changedBy({ request }: Viewer, site: Site, fields: FieldList): string[] {
  const changed = heldOf(site, request.host, request.target)
  for (const name of ['location', 'content-location']) {
    const value = fieldOf(fields, name)
    const base = `http://${request.host}${request.target}`
    if (value === undefined || !URL.canParse(value, base)) continue
    const url = new URL(value, base)
    const target = url.pathname + url.search
    const isOurs = url.hostname === request.host || behavioursFor(site, target).some(({ origin }) => origin.host === url.hostname)
    if (isOurs) changed.push(...heldOf(site, request.host, target))
  }
  return changed
}

/** The primary keys of a target under all behaviours that requests for it may fall under. */
const heldOf = (site: Site, viewerHost: string, target: string): string[] =>
  behavioursFor(site, target).map(({ policy, origin }) => primaryKey({ distribution: site.distribution, host: origin.host ?? viewerHost, target: readTarget(policy, target).held }))
