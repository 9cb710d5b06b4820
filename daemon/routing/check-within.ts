import { parsePrefix, type Prefix } from '../../core/address.ts'
import { contains } from '../../core/special-use.ts'
import type { Fault } from '../../core/trouble.ts'
import { COUNTRIES } from '../../geodb/index.ts'
import { positionOf, refused, shownKey } from './check-reach.ts'
import type { Draft } from './draft.ts'
import { isPrefixKey } from './networks.ts'
import type { Branch } from './tree.ts'

// Nodes written below branches by place or network: who comes to them is known, and a branch for somebody else is never taken.
// A policy with a name of its own may be come to from elsewhere, and begins anew.

/** What is known of whoever comes to a node, by the key of the branch that said so. */
interface Known {
  readonly country?: string
  readonly subdivision?: string
  readonly city?: string
  readonly continent?: string
  readonly client?: Prefix
  readonly source?: Prefix
}

/** Branches for somebody who cannot come there. */
export function findStrangers(draft: Draft): Fault[] {
  const { nodes, policies } = draft.policies
  const faults: Fault[] = []
  const walk = (branch: Branch, known: Known, key: string): void => {
    if (branch.kind !== 'node') return
    const { verb, arms } = nodes[branch.node]!
    const tests = verb === 'geolocation' || verb === 'network' || verb === 'view'
    for (const arm of arms) {
      const own = tests ? meansOf(arm.key, verb) : {}
      const clash = clashOf(known, own)
      if (clash === 'never') faults.push(refused(draft, branch.node, arm, `only clients of ${key} come here`, true))
      else if (clash === 'hardly') faults.push({ ...positionOf(draft, branch.node, arm, true), severity: 'warning', reason: `${shownKey(arm.key)} is never reached where only clients of ${key} come, unless overrides put it there` })
      walk(arm.to, { ...known, ...own }, Object.keys(own).length === 0 ? key : shownKey(arm.key))
    }
  }
  for (const { root } of policies) walk(root, {}, '')
  return faults
}

/** What the key of a branch says of those who go by it. */
function meansOf(key: string, verb: string): Known {
  if (isPrefixKey(key)) {
    const prefix = parsePrefix(key)!
    return verb === 'view' ? { source: prefix } : { client: prefix }
  }
  const [, kind, code = ''] = /^(city|subdivision|country|continent)-(.+)$/s.exec(key) ?? []
  switch (kind) {
    case 'city':
      return { country: code.slice(0, 2), city: code }
    case 'subdivision':
      return { country: code.slice(0, 2), subdivision: code }
    case 'country':
      return { country: code }
    case 'continent':
      return { continent: code }
    default:
      return {}
  }
}

/** Whether nobody can be both: `hardly` where only the table of countries says so, which overrides may contradict. */
function clashOf(known: Known, own: Known): 'never' | 'hardly' | 'none' {
  for (const one of ['country', 'subdivision', 'city', 'continent'] as const) if (known[one] !== undefined && own[one] !== undefined && known[one] !== own[one]) return 'never'
  for (const one of ['client', 'source'] as const) if (areApart(known[one], own[one])) return 'never'
  const country = own.country ?? known.country
  const continent = own.continent ?? known.continent
  if ((own.country ?? own.continent) === undefined || country === undefined || continent === undefined) return 'none'
  return COUNTRIES[country]![2] === continent ? 'none' : 'hardly'
}

function areApart(one: Prefix | undefined, other: Prefix | undefined): boolean {
  if (one === undefined || other === undefined) return false
  return one.family !== other.family || !(contains(one, other.bytes) || contains(other, one.bytes))
}
