import type { Plan, PlannedPolicy } from '../daemon/traffic/index.ts'
import { countryName } from '../geodb/index.ts'
import { tableOf } from './table.ts'

/** Countries told by name before the rest is counted, and rows before the rest is. */
const SHOWN = 4
const ROWS = 20
const LEAST = 1e-6

/** A plan for people. */
export function planLines(plan: Plan, { old, new: next, health, measured }: { readonly old: string; readonly new: string; readonly health: 'live' | 'all up'; readonly measured: number }): string[] {
  const { policies, missing, weighed, queries, since, movedOfAll } = plan
  const by = weighed === 'queries' ? `by ${queries} queries since ${new Date(since!).toISOString().slice(0, 16)}Z` : 'no queries are counted: countries weigh by their IPv4 addresses'
  const out = [`${old} → ${next}`, `${by}; ${health === 'live' ? 'health as it is now' : 'no fleet runs: every edge is taken to be up'}${measured === 0 ? '' : `; round trips as measured of ${measured} ${measured === 1 ? 'network' : 'networks'}`}`, '']
  for (const policy of policies) out.push(...policyLines(policy))
  for (const { policy, names } of missing) out.push(`${policy} would be gone, and steers ${some(names)}: the zone would be refused`)
  const moved = policies.filter((policy) => policy.moved > LEAST).length
  if (movedOfAll !== undefined) out.push('', `${percent(movedOfAll)} of all queries would be sent elsewhere`)
  else if (moved > 0) out.push('', `viewers of ${moved} of ${policies.length} policies would be sent elsewhere`)
  else out.push('', 'nobody would be sent elsewhere now')
  return out
}

function policyLines({ policy, names, moved, moves, latent, failOpen: [before, after] }: PlannedPolicy): string[] {
  const head = `${policy} (${some(names)})`
  const warned = after - before > LEAST ? [`  ${percent(after)} of its viewers would have nothing that is up`] : []
  const others = latent.map(({ down, moved: part }) => `${percent(part)} with ${down} down`)
  if (moved <= LEAST) return [`${head}: nobody moves${others.length === 0 ? '' : ` now, but ${others.join(', ')}`}`, ...warned]
  const flows = new Map<string, { readonly from: string; readonly to: string; share: number; readonly who: Map<string, number> }>()
  for (const { from, to, country, network, share } of moves) {
    const key = `${from} ${to}`
    const flow = flows.get(key) ?? { from, to, share: 0, who: new Map<string, number>() }
    flows.set(key, flow)
    flow.share += share
    const who = `${country === '' ? 'an unknown place' : countryName(country)}${network === undefined ? '' : ` in ${network}`}`
    flow.who.set(who, (flow.who.get(who) ?? 0) + share)
  }
  const sorted = [...flows.values()].sort((a, b) => b.share - a.share)
  const rows = sorted.slice(0, ROWS).map(({ from, to, share, who }) => [from || '(nothing)', to || '(nothing)', percent(share), whoText(who)])
  const rest = sorted.length > ROWS ? [`  and ${sorted.length - ROWS} more ways`] : []
  return [`${head}: ${percent(moved)} of its viewers move`, ...tableOf(['FROM', 'TO', 'SHARE', 'WHO'], rows, { indent: '  ', right: [2], widest: 120 }), ...rest, ...(others.length === 0 ? [] : [`  and more: ${others.join(', ')}`]), ...warned]
}

function whoText(who: ReadonlyMap<string, number>): string {
  const sorted = [...who].sort((a, b) => b[1] - a[1])
  const shown = sorted.slice(0, SHOWN).map(([name, share]) => (sorted.length === 1 ? name : `${name} ${percent(share)}`))
  return `${shown.join(', ')}${sorted.length > SHOWN ? ` and ${sorted.length - SHOWN} more` : ''}`
}

function some(names: readonly string[]): string {
  return names.length <= 2 ? names.join(', ') : `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`
}

function percent(share: number): string {
  const value = share * 100
  return `${value >= 9.95 ? value.toFixed(1) : Number(value.toPrecision(2))} %`
}
