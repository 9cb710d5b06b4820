import type { CountryMove, PolicyChange } from './compare.ts'

/** What an edge has to do and what it can, in requests per second. */
export interface Load {
  readonly name: string
  /** Absent: not known. */
  readonly now?: number
  readonly capacity: number
}

/** Whether edges may be drained now, and what would come of it. */
export interface DrainReply {
  readonly names: readonly string[]
  readonly safe: boolean
  /** Why not; what is worth knowing otherwise. */
  readonly reasons: readonly string[]
  readonly notes: readonly string[]
  /** Part of all steered answers that is theirs now. */
  readonly share: number
  /** Where that would go: `share` is of what they have now. */
  readonly to: readonly { readonly name: string; readonly share: number; readonly countries: readonly string[] }[]
  readonly loads: readonly { readonly name: string; readonly now: number; readonly later: number; readonly capacity: number }[]
  /** What the shares are of. */
  readonly weighed: 'queries' | 'addresses'
  /** Seconds until the last answer that names them has run out. */
  readonly goneAfter: number
}

/** Parts of a policy's viewers below this are rounding. */
const LEAST = 1e-6

/** What draining comes to for one policy, and how much it weighs beside the others. */
export interface Weighed {
  readonly change: PolicyChange
  readonly names: readonly string[]
  readonly weight: number
}

/**
 * Whether the others can take what edges have: by the queries (or addresses) that would move, the load of the edges is
 * shared out to those that would get it, and each is held against its capacity.
 * @param out the edges to be drained
 */
export function judgeDrain(out: readonly string[], changes: readonly Weighed[], loads: readonly Load[]): Pick<DrainReply, 'safe' | 'reasons' | 'notes' | 'share' | 'to' | 'loads'> {
  const reasons = changes.flatMap(({ change, names }) => (leftAlone(change) > LEAST ? [`${percent(leftAlone(change))} of the viewers of ${change.policy} (${some(names)}) would have nothing that is up`] : []))
  const total = changes.reduce((sum, { weight }) => sum + weight, 0)
  const moves = changes.flatMap(({ change, weight }) => change.moves.map((move) => ({ ...move, share: total === 0 ? 0 : (move.share * weight) / total })))
  const share = moves.reduce((sum, move) => sum + move.share, 0)
  const to = receivers(moves, share)
  const moving = out.reduce((sum, name) => sum + (loads.find((load) => load.name === name)?.now ?? 0), 0)
  const after = loads.flatMap(({ name, now = 0, capacity }) => {
    if (out.includes(name)) return []
    const later = now + moving * (to.find((each) => each.name === name)?.share ?? 0)
    return [{ name, now, later, capacity }]
  })
  for (const { name, now, later, capacity } of after) {
    if (later > capacity && later > now) reasons.push(`${name} would have ${rate(later)} requests a second and can take ${rate(capacity)} (it has ${rate(now)} now)`)
  }
  const unknown = out.filter((name) => loads.find((load) => load.name === name)?.now === undefined)
  const notes = unknown.length > 0 && share > 0 ? [`how many requests ${unknown.join(', ')} ${unknown.length === 1 ? 'has' : 'have'} is not known: taken as none`] : []
  return { safe: reasons.length === 0, reasons, notes, share, to, loads: after }
}

/** Viewers who would get no address, or one of a target that is not up, and now get one that is. */
function leftAlone({ moves, failOpen: [before, after] }: PolicyChange): number {
  return moves.filter(({ to }) => to === '').reduce((sum, { share }) => sum + share, 0) + Math.max(0, after - before)
}

function receivers(moves: readonly CountryMove[], total: number): DrainReply['to'] {
  const shares = new Map<string, { share: number; countries: Map<string, number> }>()
  for (const { to, country, share } of moves) {
    if (share <= LEAST * total) continue
    const into = shares.get(to) ?? { share: 0, countries: new Map<string, number>() }
    shares.set(to, into)
    into.share += share
    into.countries.set(country, (into.countries.get(country) ?? 0) + share)
  }
  const list = [...shares].map(([name, { share, countries }]) => ({ name, share: share / total, countries: [...countries].sort((a, b) => b[1] - a[1]).map(([country]) => country) }))
  return list.sort((a, b) => b.share - a.share)
}

const percent = (share: number): string => `${Number((share * 100).toPrecision(2))} %`
const rate = (value: number): string => (value >= 10 ? String(Math.round(value)) : String(Math.round(value * 10) / 10))
const some = (names: readonly string[]): string => (names.length <= 2 ? names.join(', ') : `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`)
