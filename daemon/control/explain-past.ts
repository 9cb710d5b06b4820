import { momentText } from '../../core/moment.ts'
import { openNetworks } from '../../geodb/index.ts'
import { makeHealthTable, type HealthTable } from '../../healthchecks/index.ts'
import { checkedName, openRouting, type Target } from '../routing/index.ts'
import type { World } from '../world.ts'
import type { Explanation, InService } from './api.ts'
import { untilText, wordOfPast, type PastHealth } from './events.ts'
import type { PastPolicies } from './past-policies.ts'

/** Since when what is not kept by time has been in service, and how health and policies stood. */
export interface Past extends PastHealth {
  readonly since: InService
  readonly policies: PastPolicies
  /** Of views, by name, which have zones and policies of their own. */
  readonly views?: Readonly<Record<string, Pick<Past, 'since' | 'policies'>>>
}

/** What a text begins with when the journal does not reach that far. */
export const NOT_KNOWN = 'not known'

/** Health as it stood, in a table of its own. */
export interface PastTable {
  readonly health: HealthTable
  /** Targets of which nothing was known, with a line that says so. */
  readonly unknown: ReadonlyMap<string, string>
  readonly text: string
}

/** How many targets that were not simply up are named. */
const MOST_NAMED = 8

/** The world of now with the policies of then, where those were others. */
export function worldOfThen(live: World, policies: PastPolicies): World {
  if (policies.kind !== 'other') return live
  const { kept: _kept, networks: _networks, ...rest } = live
  const known = policies.networks && openNetworks(policies.networks)
  return { ...rest, routing: openRouting(policies.routing, live.places, known), targets: policies.routing.targets, ...(known && { networks: known }) }
}

/** Of the policies, where they were others: a line. */
export function policiesLines(policies: PastPolicies): string[] {
  return policies.kind === 'other' ? [`policies as of then, in service from ${momentText(policies.since)} to ${momentText(policies.until)}`] : []
}

export function pastTable({ at, targets: past, later }: PastHealth, live: HealthTable, targets: readonly Target[]): PastTable {
  const health: HealthTable = { ...makeHealthTable(live.words.length), generation: live.generation }
  const unknown = new Map<string, string>()
  const told: string[] = []
  for (const [index, { name, checked, check, word = index }] of targets.entries()) {
    if (!checked) continue
    const key = checkedName({ name, ...(check !== undefined && { check }) })
    const found = past.get(key)
    if (found === undefined) {
      const first = later.get(key)
      unknown.set(name, first === undefined ? `${NOT_KNOWN}: ${key} is not in the journal of health` : `${NOT_KNOWN} before ${untilText(first)}, when ${key} was checked first`)
      continue
    }
    health.words[word] = wordOfPast(found)
    health.lastUp[word] = found.lastUp
    const { verdict, forced, since, why } = found
    if (verdict !== 'UP' || forced !== 'none') told.push(`${name} ${verdict}${forced === 'none' ? '' : `, forced ${forced}`} since ${momentText(since)} (${why})`)
  }
  const rest = told.length > MOST_NAMED ? `; and ${told.length - MOST_NAMED} more` : ''
  const all = told.length === 0 ? 'every target UP' : `${told.slice(0, MOST_NAMED).join('; ')}${rest}; all others UP`
  return { health, unknown, text: `health and forced states as of ${momentText(at)}, from the journal: ${all}` }
}

/** What of an answer is as of now, and since when that has been so. */
export function nowLines({ at, since, policies }: Past, { zone, policy, place, network }: { readonly [Key in 'zone' | 'policy' | 'place' | 'network']?: Explanation[Key] | undefined }): NonNullable<Explanation['asOfNow']> {
  const rows: (readonly [what: string, since: number | undefined])[] = []
  if (zone !== undefined) rows.push([`zone ${zone.origin}`, since.zones[zone.origin.toLowerCase()] ?? since.zones['']])
  if (policy !== undefined && policies.kind !== 'other') rows.push(['policies', policies.kind === 'same' ? policies.since : since.policies])
  if (place !== undefined) rows.push(['places', since.places])
  if (network !== undefined) rows.push(['networks', since.networks])
  return rows.map(([what, from]) => {
    const isSame = from !== undefined && from <= at
    const reason = what === 'policies' && policies.kind === 'unknown' ? policies.reason : 'what was before it is not kept'
    const text = isSame ? `the same since ${momentText(from)}` : `in service only since ${from === undefined ? 'now' : momentText(from)}: ${reason}`
    return { text: `${what}: as of now, ${text}`, ...(from !== undefined && { since: from }), isSame }
  })
}
