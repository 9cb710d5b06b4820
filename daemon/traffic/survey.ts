import type { HealthTable } from '../../healthchecks/index.ts'
import type { Choice, Routing } from '../routing/index.ts'
import type { Viewers } from './viewers.ts'

/** Where the viewers of one country go: shares of targets that add up to 1. Nothing in it: they get no address. */
export type Shares = ReadonlyMap<number, number>

/** What one policy comes to under one state of health. */
export interface Survey {
  /** By code of the country; '' for places whose country is not known. */
  readonly countries: ReadonlyMap<string, CountrySurvey>
}

export interface CountrySurvey {
  /** IPv4 addresses. */
  readonly addresses: number
  readonly shares: Shares
  /** Part of its viewers for whom every target in question is down. */
  readonly failOpen: number
}

/** Asks the production path for every cell of viewers. Answers of several addresses count to each alike. */
export function survey(routing: Routing, policy: number, viewers: Viewers, health: HealthTable): Survey {
  const weights = new Map<string, Map<number, number>>()
  for (const { place, country, weight } of viewers.cells) {
    const placeClass = routing.classOf(policy, place)
    let classes = weights.get(country)
    if (classes === undefined) weights.set(country, (classes = new Map()))
    classes.set(placeClass, (classes.get(placeClass) ?? 0) + weight)
  }
  const known = new Map<number, Decided>()
  const decide = (placeClass: number): Decided => {
    let decided = known.get(placeClass)
    if (decided === undefined) known.set(placeClass, (decided = decidedBy(choose(routing, policy, placeClass, health))))
    return decided
  }
  return { countries: new Map([...weights].map(([country, classes]) => [country, mix(classes, decide)])) }
}

interface Decided {
  readonly shares: Shares
  readonly failOpen: boolean
}

function mix(classes: ReadonlyMap<number, number>, decide: (placeClass: number) => Decided): CountrySurvey {
  const addresses = [...classes.values()].reduce((sum, weight) => sum + weight, 0)
  const shares = new Map<number, number>()
  let failOpen = 0
  for (const [placeClass, weight] of classes) {
    const decided = decide(placeClass)
    for (const [target, share] of decided.shares) shares.set(target, (shares.get(target) ?? 0) + (share * weight) / addresses)
    if (decided.failOpen) failOpen += weight / addresses
  }
  return { addresses, shares, failOpen }
}

/** A policy of IPv6 targets alone answers nothing to A. */
function choose(routing: Routing, policy: number, placeClass: number, health: HealthTable): Choice {
  const choice = routing.choose(policy, placeClass, health, 4)
  return choice.alternatives.length > 0 ? choice : routing.choose(policy, placeClass, health, 6)
}

function decidedBy({ alternatives, failOpen }: Choice): Decided {
  const shares = new Map<number, number>()
  for (const { weight, targets } of alternatives) for (const target of targets) shares.set(target, (shares.get(target) ?? 0) + weight / targets.length)
  return { shares, failOpen }
}
