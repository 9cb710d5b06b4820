import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../core/clock.ts'
import type { MemberStatus, Status } from '../daemon/control/api.ts'
import { defaultLimits, LIMITS, makeAsker, scout, type DrillOptions, type Limits, type Scenario } from '../fleet/drill/index.ts'
import { Refused, type AdminClient } from './admin-client.ts'
import { isSet, numberOf, type Call } from './command.ts'
import { controlOver, findLonely, findMembers, readGround, type Refusal } from './drill-fleet.ts'
import type { Chosen } from './drill-scenarios.ts'

/** A drill that may begin. */
export type Plan = Omit<DrillOptions, 'signal' | 'hurry' | 'progress'>

const QUERY_TIMEOUT_MS = 1000
/** How long a fleet may take to recover from the drill before. */
const WELL_WITHIN_MS = 90_000

/**
 * Finds out who is answered with whom is to be struck, or why the drill cannot begin.
 * @param isOneOfMany the fleet gets time to recover from the one before
 */
export async function prepare(call: Call, admin: AdminClient, { scenario, isScenario }: Chosen, isOneOfMany: boolean): Promise<Plan | Refusal> {
  const load = loadOf(call, scenario)
  if ('line' in load) return load
  if (isOneOfMany) await untilWell(admin)
  const found = await findMembers(admin, scenario.blow.members, !isScenario)
  if ('line' in found) return found
  const ground = readGround(admin)
  if ('line' in ground) return ground
  const names = found.members.map(({ name }) => name)
  const edges = new Map(found.members.filter(({ role }) => role === 'edge').flatMap(({ name, addresses }) => addresses.map((address) => [address, name] as const)))
  const asker = makeAsker(ground.dns, QUERY_TIMEOUT_MS, systemClock)
  const { viewpoints, ttl, answered } = await scout(ground.hosts, edges, asker.ask)
  asker.close()
  if (!answered) return { line: `DNS does not answer on ${ground.dns.address} port ${ground.dns.port}`, status: 1 }
  if (viewpoints.length === 0) return { line: `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} the steady answer for nobody: ${ground.hosts.join(', ')} were asked for from all over the world`, status: 1 }
  const lonely = isSet(call, 'force') || scenario.stays || edges.size === 0 ? undefined : await findLonely(admin, names, viewpoints)
  if (lonely !== undefined) {
    const who = names.length === 1 ? `${names[0]} is the last healthy edge` : `${names.join(', ')} are the last healthy edges`
    return { line: `${who} of ${lonely.host} for clients in ${lonely.question.subnet} (--force drills it all the same)`, status: 1 }
  }
  const longestTtl = Math.max(ttl, found.longestTtl)
  const { blow, everyMs, times, stays, forMs } = scenario
  return {
    title: scenario.name, blow: { ...blow, members: names }, everyMs, times, stays, ...(forMs !== undefined && { forMs }), viewpoints, ttl, longestTtl, load,
    limits: limitsOf(call, scenario, { ttl, longestTtl, rate: load.rate }), ...ground, control: controlOver(admin, found.members), clock: systemClock
  }
}

function loadOf(call: Call, { load }: Scenario): Scenario['load'] | Refusal {
  const rate = numberOf(call, 'rate') ?? load.rate
  const clients = numberOf(call, 'clients') ?? load.clients
  if (!(rate >= 1 && rate <= 2000)) return { line: `--rate ${rate}: expected 1 to 2000 a second`, status: 2 }
  const slack = numberOf(call, 'slack') ?? 1
  if (!(slack >= 1 && slack <= 100)) return { line: `--slack ${slack}: expected 1 to 100`, status: 2 }
  if (!(Number.isInteger(clients) && clients >= 1 && clients <= 100_000)) return { line: `--clients ${clients}: expected 1 to 100000`, status: 2 }
  return { ...load, rate, clients, warmMs: numberOf(call, 'warm-up') ?? load.warmMs }
}

/** What the command line says goes before what the scenario says. */
function limitsOf(call: Call, { blow, times, limits: own }: Scenario, load: { ttl: number; longestTtl: number; rate: number }): Limits {
  const given = Object.entries(LIMITS).flatMap(([option, { limit }]) => {
    const value = numberOf(call, `max-${option}`)
    return value === undefined ? [] : [[limit, value] as const]
  })
  const slack = numberOf(call, 'slack') ?? 1
  const lax = Object.fromEntries(Object.entries({ ...defaultLimits(blow.kind, { ...load, times }), ...own }).map(([limit, value]) => [limit, limit.endsWith('Ms') ? value * slack : value])) as unknown as Limits
  const limits = { ...lax, ...Object.fromEntries(given) }
  // With a planned stop it makes no difference which request may fail.
  return blow.kind === 'stop' ? { ...limits, failedElsewhere: limits.failed, failedLate: limits.failed } : limits
}

/** Waits until every member is as it should be; what never gets there is told by what checks each. */
async function untilWell(admin: AdminClient): Promise<void> {
  const isWell = ({ forced, process, health, answerable }: MemberStatus): boolean => forced === undefined && process === 'running' && health !== 'DOWN' && health !== 'UNKNOWN' && answerable !== false
  const until = systemClock.elapsed() + WELL_WITHIN_MS
  while (systemClock.elapsed() < until) {
    const status = await admin.get<Status>('/v1/status')
    if (!(status instanceof Refused) && status.members.every(isWell)) return
    await sleep(200)
  }
}
