import type { Verdict } from '../../healthchecks/index.ts'
import type { Sight } from './sight.ts'

// What is up, judged purely from what several vantage points see.
//
//   1  Whoever runs a target and knows that its process is gone is right, at once: here for our own answers, and elsewhere while
//      it is heard.
//   2  A vantage point that sees everything down tells of itself, and is not believed: this one neither.
//   3  With a quorum of vantage points that are heard and believed, a target is up when more than a share of those that have a
//      verdict on it say so.
//   4  Without, what was decided last holds; of what runs here our own checks tell,
//      unless this vantage point is not believed.

/** What one vantage point that is heard sees: targets by key. */
export interface Point {
  readonly pop: string
  readonly sights: ReadonlyMap<string, Sight>
}

export interface Rules {
  /** All PoPs there are, heard or not, this one included. */
  readonly total: number
  readonly quorum: 'half' | 'majority' | number
  /** 0 to 1. */
  readonly healthyAbove: number
}

/** The vantage points that are heard, told apart. */
export interface Council {
  readonly own: Point
  /** All that are heard, this one first. */
  readonly heard: readonly Point[]
  readonly believed: readonly Point[]
  readonly hasQuorum: boolean
}

/** A point that sees so few targets says nothing about itself. */
const FEWEST = 2

/** Whether all that a vantage point has a verdict on is down. */
export function seesNothing({ sights }: Point): boolean {
  let known = 0
  for (const { verdict } of sights.values()) {
    if (verdict === 'UP') return false
    if (verdict === 'DOWN') known++
  }
  return known >= FEWEST
}

export function hold(own: Point, others: readonly Point[], { total, quorum }: Rules): Council {
  const heard = [own, ...others]
  const believed = heard.filter((point) => !seesNothing(point))
  return { own, heard, believed, hasQuorum: believed.length >= needed(total, quorum) }
}

/** How many vantage points make a quorum. */
export function needed(total: number, quorum: Rules['quorum']): number {
  if (typeof quorum === 'number') return quorum
  return quorum === 'half' ? Math.ceil(total / 2) : Math.floor(total / 2) + 1
}

/** `gone`: rule 1; `votes`: rule 3; `held` and `own`: rule 4; `unseen`: nobody has a verdict. */
export type Basis = 'gone' | 'votes' | 'held' | 'own' | 'unseen'

export interface Decision {
  readonly verdict: Verdict
  readonly isSuspect: boolean
  readonly basis: Basis
  /** Believed vantage points that see it up, of those that have a verdict. */
  readonly up: number
  readonly of: number
  /** Who knows that it is gone. */
  readonly by?: string
}

/**
 * Decides about one target that this PoP checks too.
 * @param last what was decided last by votes; undefined: nothing yet
 */
export function decide(key: string, council: Council, last: Verdict | undefined, { healthyAbove }: Rules): Decision {
  const own = council.own.sights.get(key)
  const seen = council.believed.flatMap(({ sights }) => {
    const sight = sights.get(key)
    return sight === undefined || sight.verdict === 'UNKNOWN' ? [] : [sight]
  })
  const up = seen.filter(({ verdict }) => verdict === 'UP').length
  const votes = { up, of: seen.length }
  const gone = council.heard.find(({ sights }) => isGone(sights.get(key)))
  if (gone !== undefined) return { verdict: 'DOWN', isSuspect: false, basis: 'gone', by: gone.pop, ...votes }
  if (!council.hasQuorum) return { ...withoutQuorum(own, last, !council.believed.includes(council.own)), ...votes }
  if (seen.length === 0) return { verdict: last ?? 'UNKNOWN', isSuspect: own?.isSuspect ?? false, basis: 'unseen', ...votes }
  const isUp = up / seen.length > healthyAbove
  // What some see down, or doubt, may be about to fall for the others too.
  const isSuspect = isUp && (up < seen.length || seen.some((sight) => sight.isSuspect))
  return { verdict: isUp ? 'UP' : 'DOWN', isSuspect, basis: 'votes', ...votes }
}

const isGone = (sight: Sight | undefined): boolean => sight !== undefined && sight.isGone && sight.verdict === 'DOWN'

function withoutQuorum(own: Sight | undefined, last: Verdict | undefined, isBlind: boolean): Pick<Decision, 'verdict' | 'isSuspect' | 'basis'> {
  if (own !== undefined && !isBlind && (own.isRunner || last === undefined)) return { verdict: own.verdict, isSuspect: own.isSuspect, basis: 'own' }
  return { verdict: last ?? 'UNKNOWN', isSuspect: false, basis: 'held' }
}
