import { healthWord, makeHealthTable, type HealthTable } from '../../healthchecks/table.ts'
import type { Target } from '../routing/index.ts'
import { askedByPolicy, type Asked } from './asked.ts'
import { compare, type PolicyChange, type Side } from './compare.ts'
import type { Viewers } from './viewers.ts'

/** What would become of everybody if one file of policies took the place of another. */
export interface Plan {
  /** Policies that steer names and stand in both, in the order of the new file. */
  readonly policies: readonly PlannedPolicy[]
  /** Policies that steer names and would be gone: the zones of those names would be refused. */
  readonly missing: readonly { readonly policy: string; readonly names: readonly string[] }[]
  readonly weighed: 'queries' | 'addresses'
  /** All queries counted, and since when (wall milliseconds). */
  readonly queries?: number
  readonly since?: number
  /** Part of all queries that would be answered otherwise; absent where none are counted. */
  readonly movedOfAll?: number
}

export interface PlannedPolicy extends PolicyChange {
  readonly names: readonly string[]
  /** With one of these edges down more would be sent elsewhere than before: what part of them. */
  readonly latent: readonly { readonly down: string; readonly moved: number }[]
}

export interface PlanOptions {
  readonly old: Omit<Side, 'health'>
  readonly next: Omit<Side, 'health'>
  /** Names and the policies that steer them. */
  readonly names: ReadonlyMap<string, string>
  readonly viewers: Viewers
  readonly asked?: Asked
  /** Words of health by the names of targets; what is not named is up. */
  readonly words: ReadonlyMap<string, number>
}

/** Comparisons made to find what would differ only in a failure. */
const MOST_REHEARSED = 500
/** Differences below this are rounding. */
const LEAST = 1e-6

export function planChange({ old, next, names, viewers, asked, words }: PlanOptions): Plan {
  const used = new Map<string, string[]>()
  for (const [name, policy] of names) used.set(policy, [...(used.get(policy) ?? []), name])
  const counts = asked === undefined ? new Map<string, Map<string, number>>() : askedByPolicy(asked, (name) => names.get(name))
  const known = [...used].filter(([policy]) => old.routing.find(policy) !== undefined)
  const kept = known.filter(([policy]) => next.routing.find(policy) !== undefined)
  const sides = (down?: string): readonly [Side, Side] => [{ ...old, health: healthOf(old.routing.targets, words, down) }, { ...next, health: healthOf(next.routing.targets, words, down) }]
  const now = sides()
  const edges = old.routing.targets.filter(({ checked }) => checked).map(({ name }) => name)
  let left = MOST_REHEARSED
  const policies = kept.map(([policy, own]): PlannedPolicy => {
    const change = compare(...now, policy, viewers, counts.get(policy))
    const rehearsed = edges.slice(0, Math.max(0, left))
    left -= rehearsed.length
    const latent = rehearsed.map((down) => ({ down, moved: compare(...sides(down), policy, viewers, counts.get(policy)).moved })).filter(({ moved }) => moved > change.moved + LEAST)
    return { ...change, names: own, latent }
  })
  const missing = known.filter(([policy]) => next.routing.find(policy) === undefined).map(([policy, own]) => ({ policy, names: own }))
  if (asked === undefined || counts.size === 0) return { policies, missing, weighed: 'addresses' }
  const moved = policies.reduce((sum, policy) => sum + policy.moved * (policy.queries ?? 0), 0)
  return { policies, missing, weighed: 'queries', queries: asked.total, since: asked.since, movedOfAll: moved / asked.total }
}

/** Whether the two files come to the same for everybody, in one failure too. */
export function isSame({ policies, missing }: Plan): boolean {
  return missing.length === 0 && policies.every(({ moved, latent }) => moved <= LEAST && latent.length === 0)
}

function healthOf(targets: readonly Target[], words: ReadonlyMap<string, number>, down: string | undefined): HealthTable {
  const table = makeHealthTable(targets.length)
  const up = healthWord('UP', 'none', false)
  for (const [target, { name }] of targets.entries()) table.words[target] = name === down ? healthWord('DOWN', 'none', false) : (words.get(name) ?? up)
  return table
}
