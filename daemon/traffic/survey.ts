import type { HealthTable } from '../../healthchecks/index.ts'
import type { Choice, Routing } from '../routing/index.ts'
import type { Cell, Viewers } from './viewers.ts'

/** Where some viewers go: shares of targets that add up to 1. Nothing in it: they get no address. */
export type Shares = ReadonlyMap<number, number>

/** What one policy comes to under one state of health: by country, and by network where networks are told apart. */
export type Survey = ReadonlyMap<string, Group>

export interface Group {
  /** Code of the country; '' for places whose country is not known. */
  readonly country: string
  /** The lists of networks they lie in; '' where that has no say. */
  readonly network: string
  /** IPv4 addresses. */
  readonly addresses: number
  readonly shares: Shares
  /** Part of them for whom every target in question is down. */
  readonly failOpen: number
}

export interface SurveyOptions {
  /** Which of the tables of networks of the viewers is this one's. */
  readonly side?: number
  /** Viewers in lists of networks are groups of their own. */
  readonly byNetwork?: boolean
}

/** Asks the production path for every cell of viewers. Answers of several addresses count to each alike. */
export function survey(routing: Routing, policy: number, viewers: Viewers, health: HealthTable, { side = 0, byNetwork = routing.usesNetwork(policy) }: SurveyOptions = {}): Survey {
  const groups = new Map<string, { readonly cell: Cell; readonly classes: Map<number, number> }>()
  for (const cell of viewers.cells) {
    const network = cell.networks[side] ?? 0
    const placeClass = routing.classOf(policy, cell.place, network, network)
    const key = byNetwork && cell.network !== '' ? `${cell.country} ${cell.network}` : cell.country
    let group = groups.get(key)
    if (group === undefined) groups.set(key, (group = { cell, classes: new Map() }))
    group.classes.set(placeClass, (group.classes.get(placeClass) ?? 0) + cell.weight)
  }
  const known = new Map<number, Decided>()
  const decide = (placeClass: number): Decided => {
    let decided = known.get(placeClass)
    if (decided === undefined) known.set(placeClass, (decided = decidedBy(choose(routing, policy, placeClass, health))))
    return decided
  }
  return new Map([...groups].map(([key, { cell, classes }]) => [key, { country: cell.country, network: byNetwork ? cell.network : '', ...mix(classes, decide) }]))
}

interface Decided {
  readonly shares: Shares
  readonly failOpen: boolean
}

function mix(classes: ReadonlyMap<number, number>, decide: (placeClass: number) => Decided): Pick<Group, 'addresses' | 'shares' | 'failOpen'> {
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
