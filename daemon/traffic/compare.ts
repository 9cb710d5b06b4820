import type { HealthTable } from '../../healthchecks/index.ts'
import type { Routing } from '../routing/index.ts'
import { spread, sumOf, type AskedOfPolicy } from './asked.ts'
import { movesBetween, named, type Move } from './moves.ts'
import { survey, type Survey } from './survey.ts'
import type { Viewers } from './viewers.ts'

/** Policies under one state of health. */
export interface Side {
  readonly routing: Routing
  readonly health: HealthTable
}

/** Viewers of one country who go elsewhere: `share` is of all viewers of the policy. */
export interface CountryMove extends Move {
  readonly country: string
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
  const [old, next] = [surveyOf(before, policy, viewers), surveyOf(after, policy, viewers)]
  const shares = spread(old, asked)
  const moves: CountryMove[] = []
  const failOpen: [number, number] = [0, 0]
  for (const [country, share] of shares) {
    const [from, to] = [old.countries.get(country)!, next.countries.get(country)!]
    for (const move of movesBetween(named(from.shares, before.routing.targets), named(to.shares, after.routing.targets))) moves.push({ ...move, country, share: move.share * share })
    failOpen[0] += from.failOpen * share
    failOpen[1] += to.failOpen * share
  }
  moves.sort((a, b) => b.share - a.share)
  const moved = moves.reduce((sum, { share }) => sum + share, 0)
  return { policy, ...(asked !== undefined && { queries: sumOf(asked) }), moved, moves, failOpen }
}

function surveyOf({ routing, health }: Side, policy: string, viewers: Viewers): Survey {
  const number = routing.find(policy)
  if (number === undefined) throw new RangeError(`there is no policy ${policy}`)
  return survey(routing, number, viewers, health)
}
