import type { Config } from '../../core/config.ts'
import type { Member, Role } from '../../core/channel.ts'
import { isAnswerable, limitOf, type Checker, type HealthTable } from '../../healthchecks/index.ts'
import type { MemberStatus, TargetStatus } from './api.ts'
import type { Capacity } from './capacity.ts'
import type { Forces } from './forces.ts'

interface Known {
  readonly config: Config
  /** As the supervisor last told; empty before it has. */
  readonly members: readonly Member[]
  readonly checker: Pick<Checker, 'report'>
  readonly forces: Pick<Forces, 'get'>
  readonly table: HealthTable
  /** Where vantage points do not see a member alike. */
  readonly note?: ((name: string) => string | undefined) | undefined
  readonly capacity: Pick<Capacity, 'loadOf'>
}

/** Targets of policies that are no members, by name. */
export function describeTargets(names: readonly string[], checker: Known['checker'], forces: Known['forces']): TargetStatus[] {
  return names.map((name) => ({ name, ...describeHealth(name, checker), ...describeForce(name, forces) }))
}

type Place = Pick<MemberStatus, 'name' | 'role' | 'city' | 'addresses' | 'parent'>

/** Every member with its process, its health and what it is forced to: edges in the order of the configuration, then the tiers behind them. */
export function describeMembers({ config, members, checker, forces, table, capacity, note }: Known): MemberStatus[] {
  const processes = new Map(members.map((member) => [member.name, member]))
  const places = placesOf(config, members)
  return places.map((place, at) => ({
    ...place,
    ...describeProcess(processes.get(place.name)),
    ...describeHealth(place.name, checker),
    ...describeForce(place.name, forces),
    ...describePoints(note?.(place.name)),
    ...(place.role === 'edge' ? { answerable: isAnswerable(table.words[at]!), ...describeLimits(place.name, table.limits[at]!, capacity) } : {})
  }))
}

function placesOf(config: Config, members: readonly Member[]): Place[] {
  const place = (name: string, role: Role, city: string, addresses: readonly string[], parent?: string): Place => {
    return parent === undefined ? { name, role, city, addresses } : { name, role, city, addresses, parent }
  }
  const configured = [
    ...Object.entries(config.edges).map(([name, edge]) => place(name, 'edge', edge.city, edge.address, edge.parent?.join(', '))),
    ...Object.entries(config.regionals).map(([name, regional]) => place(name, 'regional', regional.city, regional.address, regional.shield)),
    ...Object.entries(config.shields).map(([name, shield]) => place(name, 'shield', shield.city, shield.address)),
    ...Object.entries(config.origins).flatMap(([name, origin]) => ('demo' in origin ? [place(name, 'origin', '', [origin.demo])] : []))
  ]
  const named = new Set(configured.map((each) => each.name))
  const others = members.filter((member) => !named.has(member.name)).map((member) => place(member.name, member.role, '', member.role === 'daemon' ? config.dns.listen : []))
  return [...configured, ...others]
}

function describeProcess(member: Member | undefined): Partial<MemberStatus> {
  if (member === undefined) return {}
  const { pid, state, since, why, restarts, trouble, requestsPerSecond, hitRatio } = member
  return {
    ...(pid === undefined ? {} : { pid }),
    process: state,
    processSince: since,
    processWhy: why,
    restarts,
    ...(trouble === undefined ? {} : { trouble }),
    ...(requestsPerSecond === undefined ? {} : { requestsPerSecond }),
    ...(hitRatio === undefined ? {} : { hitRatio })
  }
}

function describeLimits(name: string, word: number, capacity: Known['capacity']): Partial<MemberStatus> {
  const { keeps, takes, ramp } = limitOf(word)
  return { ...capacity.loadOf(name), limits: { keeps, takes, ramp } }
}

function describeHealth(name: string, checker: Known['checker']): Partial<MemberStatus> {
  const report = checker.report(name)
  if (report === undefined) return {}
  const { verdict, check, suspect, since, why, checkedAt, checkMs } = report
  return { health: verdict, ...(check === 'default' ? {} : { check }), suspect, since, why, ...(checkedAt === 0 ? {} : { checkedAt }), ...(checkMs === undefined ? {} : { checkMs }) }
}

function describePoints(elsewhere: string | undefined): Partial<MemberStatus> {
  return elsewhere === undefined ? {} : { elsewhere }
}

function describeForce(name: string, forces: Known['forces']): Partial<MemberStatus> {
  const force = forces.get(name)
  if (force === undefined) return {}
  const { state, why, since, until, everywhere, stop } = force
  return {
    forced: { state, why, since, ...(until === undefined ? {} : { until }), ...(everywhere === undefined ? {} : { everywhere }) },
    ...(stop === undefined || stop.asked ? {} : { exitsAt: stop.exitsAt })
  }
}
