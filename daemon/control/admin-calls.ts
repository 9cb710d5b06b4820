import { z } from 'zod'
import { parseAddress, parsePrefix } from '../../core/address.ts'
import type { FleetVerb, Injection } from '../../core/channel.ts'
import { parseMoment } from '../../core/moment.ts'
import { suggestion } from '../../core/suggest.ts'
import { findMember, refuse, type Call, type Control, type Reply } from './admin-call.ts'
import { announcements, pin, pinned } from './admin-anycast.ts'
import { force, listForces } from './admin-force.ts'
import { purge, purged } from './admin-purge.ts'
import { tellLatency } from './admin-latency.ts'
import { NOT_KNOWN } from './explain-past.ts'
import { DAY_MS, queries, safe, where } from './admin-traffic.ts'

const done: Reply = { status: 200, body: { done: true } }
/** Longer than a timer can hold is no time for a stop. */
const LONGEST_MS = 24 * 86_400_000
const name = z.string().min(1).max(64)
const forMs = z.int().min(1).max(LONGEST_MS).optional()
/** Timers of processes hold no more than 24 days. */
const rehearsedMs = z.int().min(1).max(86_400_000).optional()
const injection = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('silence') }),
  z.strictObject({ kind: z.literal('delay'), ms: z.int().min(1).max(60_000) }),
  z.strictObject({ kind: z.literal('error'), status: z.int().min(400).max(599) })
])

/** Every call of the admin API, one row each. */
export const calls: readonly Call[] = [
  { method: 'GET', path: '/v1/status', answer: (_, control) => ({ status: 200, body: { ...control.status(), members: control.health.members(), targets: control.health.targets() } }) },
  { method: 'GET', path: '/v1/pops', answer: pops },
  { method: 'GET', path: '/v1/forces', answer: listForces },
  { method: 'GET', path: '/v1/anycast', answer: announcements },
  { method: 'GET', path: '/v1/explain', answer: reading(z.strictObject({ name: z.string().min(1).max(1024), from: z.string().max(64).default('127.0.0.1'), type: z.string().max(32).default('A'), assume: z.string().max(1024).optional(), at: z.string().max(64).optional() }), explain) },
  { method: 'GET', path: '/v1/safe', answer: reading(z.strictObject({ edges: z.string().min(1).max(1024) }), safe) },
  { method: 'GET', path: '/v1/where', answer: reading(z.strictObject({ what: z.string().min(1).max(1024).optional(), assume: z.string().max(1024).optional() }), where) },
  { method: 'GET', path: '/v1/latency', answer: reading(z.strictObject({ network: z.string().max(64).optional() }), latency) },
  { method: 'GET', path: '/v1/queries', answer: reading(z.strictObject({ lastMs: z.coerce.number().min(1).max(DAY_MS).default(DAY_MS) }), queries) },
  { method: 'POST', path: '/v1/stop', answer: reading(z.strictObject({ name, now: z.boolean().default(false), forMs }), stop) },
  { method: 'POST', path: '/v1/start', answer: reading(z.strictObject({ name }), start) },
  { method: 'POST', path: '/v1/kill', answer: reading(z.strictObject({ name, forMs: rehearsedMs }), (input, control) => rehearse('kill', input, control)) },
  { method: 'POST', path: '/v1/pause', answer: reading(z.strictObject({ name, forMs: rehearsedMs }), (input, control) => rehearse('pause', input, control)) },
  { method: 'POST', path: '/v1/inject', answer: reading(z.strictObject({ name, forMs: rehearsedMs, injection: injection.optional() }), inject) },
  { method: 'POST', path: '/v1/force', answer: reading(z.strictObject({ name, state: z.enum(['up', 'down', 'drain', 'none']), why: z.string().max(200).default('by operator'), forMs, everywhere: z.boolean().default(false) }), force) },
  { method: 'POST', path: '/v1/pin', answer: reading(pinned, pin) },
  { method: 'POST', path: '/v1/purge', answer: reading(purged, purge) },
  { method: 'POST', path: '/v1/reload', answer: reading(z.strictObject({ force: z.boolean().default(false) }), reload) },
  { method: 'POST', path: '/v1/refresh', answer: reading(z.strictObject({ zone: z.string().min(1).max(1024), whole: z.boolean().default(false) }), refresh) },
  { method: 'POST', path: '/v1/flush', answer: reading(z.strictObject({ zone: z.string().min(1).max(1024).optional(), dryRun: z.boolean().default(false) }), flush) }
]

/** A call whose input has this shape; anything else gets 400 and one line. */
function reading<Schema extends z.ZodObject>(schema: Schema, answer: (input: z.output<Schema>, control: Control) => Promise<Reply> | Reply): Call['answer'] {
  return (input, control) => {
    const read = schema.safeParse(input)
    if (read.success) return answer(read.data, control)
    const issue = read.error.issues[0]!
    if (issue.code === 'unrecognized_keys') {
      const key = issue.keys[0]!
      const hint = suggestion(key, Object.keys(schema.shape))
      return refuse(400, `unknown key ${key}${hint === undefined ? '' : ` (${hint})`}`)
    }
    const where = issue.path.join('.')
    return refuse(400, where === '' ? issue.message : `${where}: ${issue.message}`)
  }
}

function pops(_: unknown, control: Control): Reply {
  const status = control.status().pops
  return status === undefined ? refuse(404, 'this daemon has no other PoPs: nearcast.yaml has no pops:') : { status: 200, body: status }
}

async function stop(input: { name: string; now: boolean; forMs?: number | undefined }, control: Control): Promise<Reply> {
  const member = findMember(input.name, control)
  if ('status' in member) return member
  if (member.role === 'daemon') return refuse(400, `${member.name} is the DNS daemon itself: it ends with the fleet`)
  control.log.info({ target: member.name, now: input.now, forMs: input.forMs }, `stop ${member.name}`)
  const result = await control.stops.stop(member, input)
  return typeof result === 'string' ? refuse(502, result) : { status: 200, body: { exitsInMs: result } }
}

async function start(input: { name: string }, control: Control): Promise<Reply> {
  const member = findMember(input.name, control)
  if ('status' in member) return member
  control.log.info({ target: member.name }, `start ${member.name}`)
  const trouble = await control.stops.start(member)
  return trouble === undefined ? done : refuse(502, trouble)
}

interface Rehearsal {
  readonly name: string
  readonly forMs?: number | undefined
}

/** Without an injection: what was injected ends. */
async function inject({ injection, ...input }: Rehearsal & { readonly injection?: Injection | undefined }, control: Control): Promise<Reply> {
  const member = findMember(input.name, control)
  if ('status' in member) return member
  if (member.role === 'daemon') return refuse(400, 'the DNS daemon can be killed and paused, and nothing else')
  if (injection !== undefined) return rehearse('inject', input, control, injection)
  const trouble = await control.fleet.ask('start', member.name)
  return trouble === undefined ? done : refuse(502, trouble)
}

async function rehearse(verb: FleetVerb, input: Rehearsal, control: Control, injection?: Injection): Promise<Reply> {
  const member = findMember(input.name, control)
  if ('status' in member) return member
  control.log.warn({ target: member.name, forMs: input.forMs, injection }, `${verb} ${member.name}`)
  const undo = control.health.rehearse(member.name)
  const trouble = await control.fleet.ask(verb, member.name, input.forMs, injection)
  if (trouble === undefined) return done
  undo()
  return refuse(502, trouble)
}

async function reload(input: { force: boolean }, control: Control): Promise<Reply> {
  return { status: 200, body: await control.reload(input.force) }
}

function refresh({ zone, whole }: { zone: string; whole: boolean }, control: Control): Reply {
  const name = `${zone.toLowerCase().replace(/\.$/, '')}.`
  if (control.refresh(name, whole)) return done
  const { zones, secondaries } = control.status()
  if (zones.some(({ origin }) => origin.toLowerCase() === name)) return refuse(404, `${name} is no secondary zone: it has a file, and no primaries`)
  const hint = suggestion(name, secondaries.map((each) => each.zone))
  return refuse(404, `there is no secondary zone ${name}${hint === undefined ? '' : ` (${hint})`}`)
}

async function flush(input: { zone?: string | undefined; dryRun: boolean }, control: Control): Promise<Reply> {
  const { zones } = control.status()
  const wanted = input.zone?.toLowerCase().replace(/\.?$/, '.')
  if (wanted !== undefined && !zones.some(({ origin }) => origin.toLowerCase() === wanted)) {
    const hint = suggestion(wanted, zones.map(({ origin }) => origin))
    return refuse(404, `there is no zone ${wanted}${hint === undefined ? '' : ` (${hint})`}`)
  }
  return { status: 200, body: await control.flush(wanted, input.dryRun) }
}

function latency({ network }: { network?: string | undefined }, { latencies }: Control): Reply {
  if (latencies === undefined) return refuse(409, 'nothing is measured: latency.measure is false in nearcast.yaml')
  const wanted = network === undefined ? undefined : parsePrefix(network)
  if (network !== undefined && wanted === undefined) return refuse(400, `network: expected an address or a prefix such as 192.0.2.0/24, not ${network}`)
  return { status: 200, body: tellLatency(latencies, wanted) }
}

async function explain(input: { name: string; from: string; type: string; assume?: string | undefined; at?: string | undefined }, control: Control): Promise<Reply> {
  const from = parseAddress(input.from)
  if (from === undefined) return refuse(400, `from: expected an IPv4 or IPv6 address, not ${input.from}`)
  const at = input.at === undefined ? undefined : parseMoment(input.at, control.clock.now())
  if (typeof at === 'string') return refuse(400, `at: ${at}`)
  const past = at === undefined ? undefined : await control.health.past(at)
  if (typeof past === 'string') return refuse(409, past)
  const then = past && (await control.inService(past.at))
  const explanation = control.explain({ name: input.name, type: input.type, from, ...(input.assume === undefined ? {} : { assume: input.assume }), ...(past && { past: { ...past, ...then! } }) })
  if (typeof explanation !== 'string') return { status: 200, body: explanation }
  return refuse(explanation.startsWith(NOT_KNOWN) ? 409 : 400, explanation)
}
