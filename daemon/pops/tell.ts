import type { Verdict } from '../../healthchecks/index.ts'
import type { PopView } from './channel.ts'
import { needed, type Council, type Decision, type Rules } from './decide.ts'
import type { Sight } from './sight.ts'

/** How another PoP stands, and what it sees. */
export interface PopStatus extends PopView {
  /** It is heard, and does not see everything down. */
  readonly isBelieved: boolean
  /** Targets that both check, by the same name and in the same way. */
  readonly compared: number
  /** Targets of the same name that it checks in another way: not compared. */
  readonly otherwise: readonly string[]
  /** What it sees differently. */
  readonly differs: readonly { readonly target: string; readonly here: Verdict; readonly there: Verdict; readonly since: number; readonly why: string }[]
}

/** This PoP and all others, for the admin API. */
export interface PopsStatus {
  readonly name: string
  /** Wall time of this answer, milliseconds. */
  readonly now: number
  /** PoPs in all, this one included. */
  readonly total: number
  /** Vantage points that a decision needs, and how many are heard and believed, this one included. */
  readonly quorum: { readonly needed: number; readonly believed: number; readonly has: boolean }
  /** False while this vantage point sees everything down. */
  readonly isBelieved: boolean
  readonly pops: readonly PopStatus[]
}

const WORDS: Readonly<Record<Verdict, string>> = { UP: 'up', DOWN: 'down', UNKNOWN: 'not known' }

/** What is worth saying of a decision; undefined where all see what is seen here. */
export function describeDecision({ verdict, basis, up, of, by }: Decision, own: Sight, council: Council, rules: Rules): string | undefined {
  const answered = `answered as ${verdict === 'DOWN' ? 'down' : 'up'}`
  const isBlind = !council.believed.includes(council.own)
  const here = `${WORDS[own.verdict]} here${isBlind ? ', where everything is seen down, so that it does not count' : ''}`
  switch (basis) {
    case 'own':
    case 'unseen':
      return undefined
    case 'gone':
      return by === council.own.pop ? undefined : `${here}, its process is gone at ${by}, which runs it: ${answered}`
    case 'held':
      return `${here}, no quorum (${council.believed.length} of ${rules.total} vantage points, ${needed(rules.total, rules.quorum)} needed): ${answered}, as was decided last`
    case 'votes': {
      const alike = own.verdict === 'UP' ? up : of - up
      if (!isBlind && verdict === own.verdict && alike === of) return undefined
      return own.verdict === 'UP' ? `${here}, down at ${of - up} of ${of} vantage points: ${answered}` : `${here}, up at ${up} of ${of} vantage points: ${answered}`
    }
  }
}

/** What a change of who is believed means, where it means much. */
export function describeLoss(before: Council, after: Council, rules: Rules): string | undefined {
  const wasBlind = !before.believed.some(({ pop }) => pop === before.own.pop)
  const isBlind = !after.believed.includes(after.own)
  if (isBlind !== wasBlind) return isBlind ? 'this vantage point sees everything down: that tells of itself, and is not believed' : 'this vantage point sees something up again, and is believed'
  if (before.hasQuorum === after.hasQuorum) return undefined
  const count = `${after.believed.length} of ${rules.total} vantage points are heard and believed, ${needed(rules.total, rules.quorum)} are needed`
  return after.hasQuorum ? `there is a quorum: ${count}` : `there is no quorum: ${count}; what was decided last holds`
}
