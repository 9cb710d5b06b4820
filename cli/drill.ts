import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../core/clock.ts'
import { formatDuration } from '../core/quantity.ts'
import { defaultLimits, formatReport, makeAsker, runDrill, scout, takeLock, type DrillOptions, type Kind, type Limits, type Progress, type Report } from '../fleet/drill/index.ts'
import { openAdmin, type AdminClient } from './admin-client.ts'
import { failed, isSet, mistyped, numberOf, type Call, type Command } from './command.ts'
import { controlOver, findLonely, findMember, readGround, type Refusal } from './drill-fleet.ts'
import { stateFolder, STATE } from './folders.ts'

const RATE = 50
const CLIENTS = 100
const WARM_MS = 3000
const QUERY_TIMEOUT_MS = 1000

/** The option of each limit. */
const LIMITS: Readonly<Record<string, { limit: keyof Limits; kind: 'duration' | 'number'; summary: string }>> = {
  'max-detect': { limit: 'detectMs', kind: 'duration', summary: 'until the daemon knows (default: 1s)' },
  'max-answer': { limit: 'answerMs', kind: 'duration', summary: 'until the first answer without the edge (default: 1s)' },
  'max-gone': { limit: 'goneMs', kind: 'duration', summary: 'until the last client has left it (default: the TTL + 1s)' },
  'max-exit': { limit: 'exitMs', kind: 'duration', summary: 'until the process of a stopped edge has ended (default: the greatest TTL + 7s)' },
  'max-wrong': { limit: 'wrong', kind: 'number', summary: 'wrong answers (default: 0)' },
  'max-unanswered': { limit: 'unanswered', kind: 'number', summary: 'queries without a reply (default: 0)' },
  'max-failed': { limit: 'failed', kind: 'number', summary: 'failed requests (default: 0; with --kill what is sent until the last TTL has run out)' },
  'max-recovery': { limit: 'recoveryMs', kind: 'duration', summary: 'from the start until it is answered again (default: 5s)' }
}

export const drill: Command = {
  name: 'drill',
  summary: 'rehearse the loss of an edge under load, and report what clients saw',
  details: [
    'Clients resolve for each request, honour TTLs, and are where the edge is the answer. A planned stop takes',
    'the edge out of DNS, lets it serve on until the last TTL has run out, and only then ends it: no request may',
    'fail. With --kill its process is killed outright, and what fails until the last TTL has run out is counted.',
    'The edge is started again whatever ends the drill. Reports are kept in the drills folder of the state folder.'
  ],
  arguments: [{ name: 'EDGE', completes: 'member' }],
  options: {
    kill: { kind: 'flag', summary: 'rehearse an unannounced death instead' },
    rate: { kind: 'number', value: 'N', summary: `queries, and requests, a second (default: ${RATE})` },
    clients: { kind: 'number', value: 'N', summary: `clients, each with a resolver cache of its own (default: ${CLIENTS})` },
    'warm-up': { kind: 'duration', value: 'TIME', summary: 'load before the edge is taken out (default: 3s)' },
    ...Object.fromEntries(Object.entries(LIMITS).map(([name, { kind, summary }]) => [name, { kind, value: kind === 'duration' ? 'TIME' : 'N', summary: `limit: ${summary}` }])),
    force: { kind: 'flag', summary: 'drill even the last healthy edge of a name' },
    json: { kind: 'flag', summary: 'print the report as JSON' },
    state: STATE
  },
  examples: ['nearcast drill icn', 'nearcast drill icn --kill', 'nearcast drill fra --rate 200 --max-answer 500ms --json'],
  run: async (call) => {
    const rate = numberOf(call, 'rate') ?? RATE
    const clients = numberOf(call, 'clients') ?? CLIENTS
    if (!(rate >= 1 && rate <= 2000)) return mistyped(call.io, `--rate ${rate}: expected 1 to 2000 a second`)
    if (!(Number.isInteger(clients) && clients >= 1 && clients <= 100_000)) return mistyped(call.io, `--clients ${clients}: expected 1 to 100000`)
    const admin = openAdmin(call)
    if (typeof admin === 'string') return failed(call.io, admin)
    const lock = takeLock(join(stateFolder(call).path, 'drill.lock'), process.pid)
    if (typeof lock === 'number') return failed(call.io, `another drill runs already (process ${lock})`)
    try {
      const plan = await prepare(call, admin, { rate, clients })
      if ('line' in plan) return plan.status === 2 ? mistyped(call.io, plan.line) : failed(call.io, plan.line)
      return await rehearse(call, plan)
    } finally {
      lock.release()
    }
  }
}

type Plan = Omit<DrillOptions, 'signal' | 'hurry' | 'progress'>

/** Finds out who is answered with the edge, or why the drill cannot begin. */
async function prepare(call: Call, admin: AdminClient, load: { rate: number; clients: number }): Promise<Plan | Refusal> {
  const member = call.positionals[0]!
  const found = await findMember(admin, member)
  if ('line' in found) return found
  const ground = readGround(admin, member)
  if ('line' in ground) return ground
  const asker = makeAsker(ground.dns, QUERY_TIMEOUT_MS, systemClock)
  const { viewpoints, ttl, answered } = await scout(ground.hosts, ground.addresses, asker.ask)
  asker.close()
  if (!answered) return { line: `DNS does not answer on ${ground.dns.address} port ${ground.dns.port}`, status: 1 }
  if (viewpoints.length === 0) return { line: `${member} is the steady answer for nobody: ${ground.hosts.join(', ')} were asked for from all over the world`, status: 1 }
  const lonely = isSet(call, 'force') ? undefined : await findLonely(admin, member, viewpoints)
  if (lonely !== undefined) {
    return { line: `${member} is the last healthy edge of ${lonely.host} for clients in ${lonely.question.subnet} (--force drills it all the same)`, status: 1 }
  }
  const kind: Kind = isSet(call, 'kill') ? 'kill' : 'planned'
  const warmMs = numberOf(call, 'warm-up') ?? WARM_MS
  const longestTtl = Math.max(ttl, found.longestTtl)
  return { member, kind, viewpoints, ttl, longestTtl, ...load, limits: limitsOf(call, kind, { ttl, longestTtl, rate: load.rate }), warmMs, ...ground, control: controlOver(admin), clock: systemClock }
}

function limitsOf(call: Call, kind: Kind, load: { ttl: number; longestTtl: number; rate: number }): Limits {
  const given = Object.entries(LIMITS).flatMap(([option, { limit }]) => {
    const value = numberOf(call, option)
    return value === undefined ? [] : [[limit, value] as const]
  })
  const limits = { ...defaultLimits(kind, load), ...Object.fromEntries(given) }
  // With a planned stop it makes no difference which request may fail.
  return kind === 'planned' ? { ...limits, failedElsewhere: limits.failed, failedLate: limits.failed } : limits
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

async function rehearse(call: Call, plan: Plan): Promise<number> {
  const { io } = call
  const json = isSet(call, 'json')
  const end = new AbortController()
  const hurry = new AbortController()
  const onSignal = (signal: NodeJS.Signals): void => {
    if (end.signal.aborted) hurry.abort(signal)
    else if (!json) io.err(`${signal}: ${plan.member} is started again before the drill ends\n`)
    end.abort(signal)
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  if (!json) io.out(`${introduction(plan).join('\n')}\n`)
  const quiet = json || process.stdout.isTTY !== true
  const report = await runDrill({ ...plan, signal: end.signal, hurry: hurry.signal, progress: (now) => (quiet ? undefined : io.out(`${progressLine(plan.member, now)}\n`)) })
  for (const signal of SIGNALS) process.off(signal, onSignal)
  const file = save(call, report)
  io.out(json ? `${JSON.stringify(report, undefined, 2)}\n` : `${formatReport(report)}\n  saved as ${file}\n`)
  return report.met ? 0 : 1
}

/** What is about to happen, with the limits in force and the options that set them. */
function introduction({ member, kind, viewpoints, ttl, rate, clients, limits }: Plan): string[] {
  const hosts = [...new Set(viewpoints.map(({ host }) => host))].join(', ')
  const subnets = [...new Set(viewpoints.map(({ question }) => question.subnet))].join(', ')
  const shown = Object.entries(LIMITS).filter(([, { limit }]) => kind === 'planned' || limit !== 'exitMs').map(([option, each]) => `--${option} ${each.kind === 'duration' ? optionTime(limits[each.limit]) : limits[each.limit]}`)
  return [
    `${member}: ${kind === 'planned' ? 'planned stop' : 'unannounced death'} under ${rate} queries and ${rate} requests a second from ${clients} clients`,
    `  they ask for ${hosts} from ${subnets}, and get ${member} for ${ttl} s`,
    `  limits: ${shown.join(' ')}`,
    ...(kind === 'kill' ? ['          no request may fail at another edge, or once the last answer that names this one has run out'] : [])
  ]
}

/** A duration as an option takes it. */
function optionTime(milliseconds: number): string {
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`
}

function progressLine(member: string, { phase, tookMs, believers, tally }: Progress): string {
  const left = tally.leftAt === undefined ? '' : `, out of the answers after ${formatDuration(tally.leftAt - tally.orderedAt!)}`
  const trouble = `${tally.failed} failed, ${tally.wrong} wrong, ${tally.unanswered} unanswered`
  return `  ${String(Math.round(tookMs / 1000)).padStart(3)} s  ${member} ${phase}${left}; ${believers} clients on it; ${tally.queries} queries, ${tally.requests} requests; ${trouble}`
}

/** Keeps a report under `drills/` of the state folder; its path as shown. */
function save(call: Call, report: Report): string {
  const folder = stateFolder(call)
  const name = `${report.startedAt.replace(/[-:]|\.\d+/g, '')}-${report.member}.json`
  mkdirSync(join(folder.path, 'drills'), { recursive: true, mode: 0o700 })
  writeFileSync(join(folder.path, 'drills', name), `${JSON.stringify(report, undefined, 2)}\n`, { mode: 0o600 })
  return join(folder.label, 'drills', name)
}
