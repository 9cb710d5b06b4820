import type { HealthTable } from '../../healthchecks/index.ts'
import type { Routing } from '../routing/index.ts'
import { spread, sumOf, type AskedOfPolicy } from './asked.ts'
import { movesBetween, named, type Move } from './moves.ts'
import { survey } from './survey.ts'
import type { Viewers } from './viewers.ts'

/** Policies under one state of health. */
export interface Side {
  readonly routing: Routing
  readonly health: HealthTable
  /** Which of the tables of networks of the viewers is its own; the first without. */
  readonly side?: number
}

/** Viewers of one country who go elsewhere: `share` is of all viewers of the policy. */
export interface CountryMove extends Move {
  readonly country: string
  /** The lists of networks they lie in, where networks have a say. */
  readonly network?: string
}

/** What becomes of the viewers of one policy. */
export interface PolicyChange {
  readonly policy: string
  /** Counted queries of its names; absent where none were counted. */
  readonly queries?: number
  /** Part of its viewers that goes elsewhere. */
  readonly moved: number
  /** Largest first. */
  readonly moves: readonly CountryMove[]
  /** Part of its viewers who are answered as if what is down were up, before and after. */
  readonly failOpen: readonly [number, number]
}

/** One policy before and after. @param asked queries of its names */
export function compare(before: Side, after: Side, policy: string, viewers: Viewers, asked: AskedOfPolicy | undefined): PolicyChange {
  const numbers = [before, after].map(({ routing }) => numberOf(routing, policy)) as [number, number]
  const byNetwork = before.routing.usesNetwork(numbers[0]) || after.routing.usesNetwork(numbers[1])
  const old = survey(before.routing, numbers[0], viewers, before.health, { side: 0, byNetwork })
  const next = survey(after.routing, numbers[1], viewers, after.health, { side: after.side ?? 0, byNetwork })
  const moves: CountryMove[] = []
  const failOpen: [number, number] = [0, 0]
  for (const [key, share] of spread(old, asked)) {
    const [from, to] = [old.get(key)!, next.get(key)!]
    const found = share === 0 ? [] : movesBetween(named(from.shares, before.routing.targets), named(to.shares, after.routing.targets))
    for (const move of found) moves.push({ ...move, country: from.country, ...(from.network !== '' && { network: from.network }), share: move.share * share })
    failOpen[0] += from.failOpen * share
    failOpen[1] += to.failOpen * share
  }
  moves.sort((a, b) => b.share - a.share)
  const moved = moves.reduce((sum, { share }) => sum + share, 0)
  return { policy, ...(asked !== undefined && { queries: sumOf(asked) }), moved, moves, failOpen }
}

function numberOf(routing: Routing, policy: string): number {
  const number = routing.find(policy)
  if (number === undefined) throw new RangeError(`there is no policy ${policy}`)
  return number
}
