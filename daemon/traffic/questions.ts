import { matchesGlob } from '../../core/glob.ts'
import { suggestion } from '../../core/suggest.ts'
import { isAnswerable } from '../../healthchecks/table.ts'
import type { World, WorldImage } from '../world.ts'
import { askedByPolicy, spread, sumOf, type Asked } from './asked.ts'
import { assumeHealth } from './assume.ts'
import { compare } from './compare.ts'
import { judgeDrain, type DrainReply, type Load, type Weighed } from './drain.ts'
import { named } from './moves.ts'
import { steeredNames } from './names.ts'
import { survey } from './survey.ts'
import { weighViewers, type Viewers } from './viewers.ts'

// What is asked of a world as a whole: each question takes all policies and all places, and so a thread of its own.

export type Question =
  /** May these edges (names, or patterns) be drained? */
  | { readonly kind: 'drain'; readonly patterns: readonly string[]; readonly loads: readonly Load[]; readonly goneAfter: number; readonly asked?: Asked }
  /** Where do the viewers of a name, of a policy or of all of them go? */
  | { readonly kind: 'where'; readonly what?: string; readonly assume?: string; readonly asked?: Asked }

/** Where viewers go, by country. */
export interface WhereReply {
  /** What was asked for: `all`, `policy video`, `name www.nearcast.test.` */
  readonly what: string
  readonly weighed: 'queries' | 'addresses'
  /** Since when queries were counted, wall milliseconds. */
  readonly since?: number
  readonly countries: readonly WhereCountry[]
  /** Part of all viewers that goes to each target; '' is no address. */
  readonly targets: readonly { readonly name: string; readonly share: number; readonly answerable: boolean; readonly at?: readonly [number, number] }[]
}

export interface WhereCountry {
  readonly country: string
  /** Part of all viewers who are there. */
  readonly share: number
  /** Where they go, largest first. */
  readonly to: readonly { readonly name: string; readonly share: number }[]
}

export type Answer = DrainReply | WhereReply
/** What is asked cannot be answered: in one line. */
export type Trouble = { readonly trouble: string }

/** Cells looked at by all policies together. */
const MOST_LOOKS = 4_000_000

/** @param image what the world's places and networks are made of */
export function answerQuestion(world: World, { places, networks }: Pick<WorldImage, 'places' | 'networks'>, question: Question): Answer | Trouble {
  const names = steeredNames(world.zones)
  const policies = new Map<string, string[]>()
  for (const [name, policy] of names) {
    const known = policies.get(policy)
    if (known === undefined) policies.set(policy, [name])
    else known.push(name)
  }
  const viewers = weighViewers(places, [networks], Math.ceil(MOST_LOOKS / Math.max(1, policies.size)))
  return question.kind === 'drain' ? drain(world, viewers, { names, policies }, question) : where(world, viewers, { names, policies }, question)
}

interface Steered {
  readonly names: ReadonlyMap<string, string>
  readonly policies: ReadonlyMap<string, readonly string[]>
}

function drain(world: World, viewers: Viewers, { names, policies }: Steered, { patterns, loads, goneAfter, asked }: Question & { kind: 'drain' }): DrainReply | Trouble {
  const edges = world.targets.filter(({ checked }) => checked).map(({ name }) => name)
  const out = edges.filter((name) => patterns.some((pattern) => matchesGlob(pattern, name)))
  const lost = patterns.find((pattern) => !edges.some((name) => matchesGlob(pattern, name)))
  if (lost !== undefined) return { trouble: `there is no edge ${lost}${hint(lost, edges)}` }
  const assumed = assumeHealth(world.health, world.targets, out.map((name) => `${name}=drain`).join(','))
  if (typeof assumed === 'string') return { trouble: assumed }
  const counts = asked === undefined ? new Map<string, Map<string, number>>() : askedByPolicy(asked, (name) => names.get(name))
  const changes = [...policies].map(([policy, own]): Weighed => {
    const change = compare(world, { routing: world.routing, health: assumed.health }, policy, viewers, counts.get(policy))
    return { change, names: own, weight: counts.size === 0 ? 1 : sumOf(counts.get(policy) ?? new Map()) }
  })
  const gone = out.filter((name) => !isAnswerable(world.health.words[world.targets.findIndex((target) => target.name === name)]!))
  const judged = judgeDrain(out, changes, loads)
  const notes = [...gone.map((name) => `${name} is out of the answers already`), ...judged.notes]
  return { names: out, ...judged, notes, weighed: counts.size === 0 ? 'addresses' : 'queries', goneAfter }
}

function where(world: World, viewers: Viewers, { names, policies }: Steered, { what, assume, asked }: Question & { kind: 'where' }): WhereReply | Trouble {
  const assumed = assume === undefined ? undefined : assumeHealth(world.health, world.targets, assume)
  if (typeof assumed === 'string') return { trouble: assumed }
  const health = assumed?.health ?? world.health
  const picked = pick(what, names, policies)
  if ('trouble' in picked) return picked
  const ofName = picked.name === undefined || asked === undefined ? asked : { ...asked, names: new Map([...asked.names].filter(([name]) => name === picked.name)) }
  const counts = ofName === undefined ? new Map<string, Map<string, number>>() : askedByPolicy(ofName, (name) => names.get(name))
  const sums = new Map<string, Sums>()
  const total = [...counts.values()].reduce((sum, each) => sum + sumOf(each), 0)
  for (const policy of picked.policies) {
    const own = counts.get(policy)
    const found = survey(world.routing, world.routing.find(policy)!, viewers, health)
    const shares = spread(found, own)
    const weight = total === 0 ? 1 / picked.policies.length : sumOf(own ?? new Map()) / total
    for (const [key, { country, shares: to }] of found) add(sums, country, weight * (shares.get(key) ?? 0), named(to, world.targets), weight)
  }
  return { what: picked.shown, weighed: total === 0 ? 'addresses' : 'queries', ...(total > 0 && { since: asked!.since }), countries: countriesOf(sums), targets: targetsOf(world, health, sums) }
}

interface Sums {
  share: number
  /** By weight of the policies, whether anybody was counted in this country or not: so that each has a colour. */
  readonly to: Map<string, number>
  readonly viewers: Map<string, number>
}

function add(sums: Map<string, Sums>, country: string, share: number, to: ReadonlyMap<string, number>, weight: number): void {
  const into = sums.get(country) ?? { share: 0, to: new Map<string, number>(), viewers: new Map<string, number>() }
  sums.set(country, into)
  into.share += share
  for (const [name, part] of to) {
    // A policy that nobody asked says nothing beside those that were asked.
    into.to.set(name, (into.to.get(name) ?? 0) + part * (share > 0 ? share : weight * 1e-9))
    into.viewers.set(name, (into.viewers.get(name) ?? 0) + part * share)
  }
}

function countriesOf(sums: ReadonlyMap<string, Sums>): WhereCountry[] {
  const countries = [...sums].map(([country, { share, to }]) => {
    const all = sumOf(to)
    const parts = [...to].map(([name, part]) => ({ name, share: all === 0 ? 0 : part / all })).filter((part) => part.share > 0)
    return { country, share, to: parts.sort((a, b) => b.share - a.share) }
  })
  return countries.sort((a, b) => b.share - a.share)
}

function targetsOf({ targets }: World, { words }: World['health'], sums: ReadonlyMap<string, Sums>): WhereReply['targets'] {
  const shares = new Map<string, number>()
  for (const { viewers } of sums.values()) for (const [name, share] of viewers) shares.set(name, (shares.get(name) ?? 0) + share)
  const shown = targets.flatMap(({ name, checked, at }, number) => (checked || shares.has(name) ? [{ name, share: shares.get(name) ?? 0, answerable: !checked || isAnswerable(words[number]!), ...(at !== undefined && { at }) }] : []))
  const nothing = shares.get('')
  return nothing === undefined ? shown : [...shown, { name: '', share: nothing, answerable: false }]
}

/** The policies that are meant: of a name (with its final dot or without), by their own name, or all that are in use. */
function pick(what: string | undefined, names: ReadonlyMap<string, string>, policies: ReadonlyMap<string, readonly string[]>): { readonly shown: string; readonly policies: readonly string[]; readonly name?: string } | Trouble {
  if (what === undefined) return policies.size === 0 ? { trouble: 'no name is steered by a policy' } : { shown: 'all', policies: [...policies.keys()] }
  if (policies.has(what)) return { shown: `policy ${what}`, policies: [what] }
  const name = `${what.toLowerCase().replace(/\.$/, '')}.`
  const policy = names.get(name)
  if (policy !== undefined) return { shown: `name ${name}`, policies: [policy], name }
  const known = [...policies.keys(), ...[...names.keys()].slice(0, 2000).map((each) => each.replace(/\.$/, ''))]
  return { trouble: `${what} is neither a name that is steered nor a policy that steers one${hint(what, known)}` }
}

function hint(typed: string, known: readonly string[]): string {
  const found = suggestion(typed, known)
  return found === undefined ? '' : ` (${found})`
}
