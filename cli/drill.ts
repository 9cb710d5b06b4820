import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatDuration } from '../core/quantity.ts'
import { BLOWS, formatReport, LIMITS, runDrill, takeLock, type Limits, type Progress, type Report } from '../fleet/drill/index.ts'
import { openAdmin } from './admin-client.ts'
import { failed, isSet, mistyped, type Call, type Command } from './command.ts'
import { prepare, type Plan } from './drill-plan.ts'
import { findScenarios, listScenarios, type Chosen } from './drill-scenarios.ts'
import { startScratch } from './drill-scratch.ts'
import { stateFolder, STATE } from './folders.ts'

export const drill: Command = {
  name: 'drill',
  summary: 'rehearse a failure under load, and report what clients saw',
  details: [
    'Clients resolve for each request, honour TTLs, and are where the edge is the answer. A planned stop takes',
    'the edge out of DNS, lets it serve on until the last TTL has run out, and only then ends it: no request may',
    'fail. With --kill its process is killed outright, and what fails until the last TTL has run out is counted.',
    'A scenario is a file of drills/ by its name, or any file: it says who is struck, how, and what may come of it.',
    'Whoever was struck is made well again whatever ends the drill. Reports are kept in the drills folder of the',
    'state folder.'
  ],
  arguments: [{ name: 'EDGE|SCENARIO', optional: true, completes: 'member' }],
  options: {
    kill: { kind: 'flag', summary: 'rehearse an unannounced death of the edge instead' },
    list: { kind: 'flag', summary: 'list the scenarios that are there' },
    all: { kind: 'flag', summary: 'every scenario that is there, one after the other' },
    scratch: { kind: 'flag', summary: 'on a fleet of its own, started for it beside yours and ended afterwards' },
    config: { kind: 'file', value: 'FILE', summary: 'with --scratch: configuration (default: nearcast.yaml)' },
    zones: { kind: 'folder', value: 'DIR', summary: 'with --scratch: zone files and policies.yaml' },
    rate: { kind: 'number', value: 'N', summary: 'queries, and requests, a second (default: 50)' },
    clients: { kind: 'number', value: 'N', summary: 'clients, each with a resolver cache of its own (default: 100)' },
    'warm-up': { kind: 'duration', value: 'TIME', summary: 'load before the blow (default: 3s)' },
    ...Object.fromEntries(Object.entries(LIMITS).map(([name, { kind, summary }]) => [`max-${name}`, { kind, value: kind === 'duration' ? 'TIME' : 'N', summary: `limit: ${summary}` }])),
    slack: { kind: 'number', value: 'N', summary: 'every limit of time is N times as long: for a busy machine (default: 1)' },
    force: { kind: 'flag', summary: 'drill even the last healthy edge of a name' },
    json: { kind: 'flag', summary: 'print the report as JSON, with --all a list of them' },
    state: STATE
  },
  examples: ['nearcast drill icn', 'nearcast drill icn --kill', 'nearcast drill fra --rate 200 --max-answer 500ms --json', 'nearcast drill edge-hangs', 'nearcast drill --all --scratch'],
  run: async (call) => {
    if (isSet(call, 'list')) return listScenarios(call)
    const chosen = findScenarios(call)
    if ('line' in chosen) return chosen.status === 2 ? mistyped(call.io, chosen.line) : failed(call.io, chosen.line)
    for (const option of ['config', 'zones']) if (option in call.values && !isSet(call, 'scratch')) return mistyped(call.io, `--${option} is for a fleet of the drill's own: --scratch`)
    if (!isSet(call, 'scratch')) return runAll(call, call, chosen.drills)
    const scratch = await startScratch(call)
    if (typeof scratch === 'string') return failed(call.io, scratch)
    try {
      return await runAll(call, scratch.call, chosen.drills)
    } finally {
      await scratch.end()
    }
  }
}

/** @param over the call as it would be made of the fleet that is drilled */
async function runAll(call: Call, over: Call, drills: readonly Chosen[]): Promise<number> {
  let status = 0
  const reports: Report[] = []
  for (const chosen of drills) {
    const outcome = await runOne(call, over, chosen, drills.length > 1)
    if (typeof outcome === 'number') {
      if (drills.length === 1) return outcome
      status = Math.max(status, outcome)
    } else {
      reports.push(outcome)
      if (!outcome.met) status = 1
      if (outcome.interrupted !== undefined) break
    }
  }
  if (isSet(call, 'json')) call.io.out(`${JSON.stringify(isSet(call, 'all') ? reports : reports[0], undefined, 2)}\n`)
  else if (drills.length > 1) call.io.out(`\n${reports.filter(({ met }) => met).length} of ${drills.length} drills kept to their limits\n`)
  return status
}

/** One drill; a number is the exit status where it could not begin. */
async function runOne(call: Call, over: Call, chosen: Chosen, isOneOfMany: boolean): Promise<Report | number> {
  const admin = openAdmin(over)
  if (typeof admin === 'string') return failed(call.io, admin)
  const lock = takeLock(join(stateFolder(over).path, 'drill.lock'), process.pid)
  if (typeof lock === 'number') return failed(call.io, `another drill runs already (process ${lock})`)
  try {
    const plan = await prepare(call, admin, chosen, isOneOfMany)
    if ('line' in plan) return plan.status === 2 ? mistyped(call.io, plan.line) : failed(call.io, plan.line)
    return await rehearse(call, plan)
  } finally {
    lock.release()
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

async function rehearse(call: Call, plan: Plan): Promise<Report> {
  const { io } = call
  const json = isSet(call, 'json')
  const end = new AbortController()
  const hurry = new AbortController()
  const onSignal = (signal: NodeJS.Signals): void => {
    if (end.signal.aborted) hurry.abort(signal)
    else if (!json) io.err(`${signal}: ${plan.blow.members.join(', ')} ${plan.blow.members.length === 1 ? 'is' : 'are'} started again before the drill ends\n`)
    end.abort(signal)
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  if (!json) io.out(`${introduction(plan).join('\n')}\n`)
  const quiet = json || process.stdout.isTTY !== true
  const report = await runDrill({ ...plan, signal: end.signal, hurry: hurry.signal, progress: (now) => (quiet ? undefined : io.out(`${progressLine(plan.title, now)}\n`)) })
  for (const signal of SIGNALS) process.off(signal, onSignal)
  const file = save(call, report)
  if (!json) io.out(`${formatReport(report)}\n  saved as ${file}\n`)
  return report
}

/** What is about to happen, with the limits in force and the options that set them. */
function introduction(plan: Plan): string[] {
  const { title, blow, viewpoints, ttl, load, limits, stays } = plan
  const hosts = [...new Set(viewpoints.map(({ host }) => host))].join(', ')
  const subnets = [...new Set(viewpoints.map(({ question }) => question.subnet))].join(', ')
  const isAtHome = viewpoints.some(({ home }) => home !== undefined)
  const shown = Object.entries(LIMITS).filter(([, { limit }]) => countsFor(limit, plan)).map(([option, each]) => `--max-${option} ${each.kind === 'duration' ? optionTime(limits[each.limit]) : limits[each.limit]}`)
  return [
    `${title}: ${BLOWS[blow.kind].called} under ${load.rate} queries and ${load.rate} requests a second from ${load.clients} clients`,
    ...(blow.members.join() === title ? [] : [`  struck: ${blow.members.join(', ')}${blow.delayMs === undefined ? '' : `, by ${formatDuration(blow.delayMs)}`}${blow.status === undefined ? '' : `, with status ${blow.status}`}`]),
    `  they ask for ${hosts} from ${subnets}${isAtHome ? `, and get ${[...new Set(viewpoints.flatMap(({ home }) => home ?? []))].join(', ')} for ${ttl} s` : ''}`,
    `  limits: ${shown.join(' ')}`,
    ...(isAtHome && !stays && blow.kind !== 'stop' && blow.kind !== 'flap' ? [`          no request may fail at another edge, or once the last answer that names ${blow.members.length === 1 ? 'this one' : 'one of these'} has run out`] : [])
  ]
}

/** Whether a limit says anything of this drill. */
function countsFor(limit: keyof Limits, { blow, stays, viewpoints }: Plan): boolean {
  const isAtHome = viewpoints.some(({ home }) => home !== undefined)
  if (limit === 'exitMs') return blow.kind === 'stop'
  if (limit === 'leaves') return blow.kind === 'flap'
  if (limit === 'silentMs') return !isAtHome
  if (limit === 'failedElsewhere' || limit === 'failedLate') return false
  if (limit === 'answerMs') return isAtHome && !stays
  return (limit !== 'goneMs' && limit !== 'detectMs') || (isAtHome && !stays && blow.kind !== 'flap')
}

/** A duration as an option takes it. */
function optionTime(milliseconds: number): string {
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`
}

function progressLine(title: string, { phase, tookMs, believers, tally }: Progress): string {
  const left = [...tally.turns.values()].flatMap(({ leftAt }) => leftAt ?? [])
  const out = left.length === 0 ? '' : `, out of the answers after ${formatDuration(Math.max(...left) - tally.orderedAt!)}`
  const trouble = `${tally.failed} failed, ${tally.wrong} wrong, ${tally.unanswered} unanswered`
  return `  ${String(Math.round(tookMs / 1000)).padStart(3)} s  ${title} ${phase}${out}; ${believers} clients on it; ${tally.queries} queries, ${tally.requests} requests; ${trouble}`
}

/** Keeps a report under `drills/` of the state folder; its path as shown. */
function save(call: Call, report: Report): string {
  const folder = stateFolder(call)
  const name = `${report.startedAt.replace(/[-:]|\.\d+/g, '')}-${report.title}.json`
  mkdirSync(join(folder.path, 'drills'), { recursive: true, mode: 0o700 })
  writeFileSync(join(folder.path, 'drills', name), `${JSON.stringify(report, undefined, 2)}\n`, { mode: 0o600 })
  return join(folder.label, 'drills', name)
}
