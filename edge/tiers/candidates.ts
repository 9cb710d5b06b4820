import { fieldOf } from '../message/index.ts'
import type { UpstreamTrouble } from '../http/index.ts'
import type { Asker, Question } from './asker.ts'
import type { OriginGroup, Parent } from './parent.ts'
import { tiersFor, type Route } from './route.ts'

/** A parent to ask now, or after so many milliseconds. */
export interface Candidate {
  readonly parent: Parent
  readonly attempt: number
  readonly waitMs: number
}

/** Whom to ask for one question, one after the other. */
export interface Candidates {
  /** Undefined: nobody is left. Whoever takes a candidate must tell what became of it. */
  next(): Candidate | undefined
  /** It could not be reached: it may be worth another try, later. */
  failed(candidate: Candidate, trouble: UpstreamTrouble): void
  /** Whether another origin would be asked if this answer were not good enough. */
  hasOther(): boolean
  /** The next of those that share keys with the one that was taken last, if there is one left. */
  nextOfSame(): Candidate | undefined
}

const FIRST_WAIT_MS = 50

/** The tiers on the way up that are alive, then the origins: those that are well, in the order of their balance. */
export function candidatesFor(asker: Asker, route: Route, question: Question): Candidates {
  const { clock, liveness } = asker
  // What no cache answers is no question to an equal: it would pass it on, and is not waited for that long.
  const mayHold = route.neighbours !== undefined && question.once !== true && isSmall(question)
  const tiers = tiersFor(route, question.key, liveness, clock.now(), mayHold)
  const begun = clock.elapsed()
  let origins: Candidate[] | undefined
  let at = 0
  const nextTier = (isWanted: (parent: Parent) => boolean): Candidate | undefined => {
    while (at < tiers.length && isWanted(tiers[at]!)) {
      const parent = tiers[at++]!
      if (!liveness.isDead(parent.name, clock.now())) return { parent, attempt: 1, waitMs: 0 }
    }
    return undefined
  }
  return {
    next: () => {
      const tier = nextTier(() => true)
      if (tier !== undefined) return tier
      origins ??= originsFor(route.origins, question, clock.elapsed())
      for (let next = origins.shift(); next !== undefined; next = origins.shift()) if (next.parent.standing.circuit.enter(clock.elapsed())) return next
      return undefined
    },
    failed: ({ parent, attempt }, trouble) => {
      if (parent.kind !== 'origin' || attempt >= parent.attempts || clock.elapsed() - begun > route.origins.patienceMs) return
      if (!(trouble.unsent === true || (mayRepeat(question) && trouble.kind === 'unreachable')) || !parent.standing.retries.spend()) return
      const waitMs = FIRST_WAIT_MS * 2 ** (attempt - 1) * (0.5 + asker.chance())
      origins!.push({ parent, attempt: attempt + 1, waitMs })
    },
    hasOther: () => origins?.some(({ parent, attempt }) => attempt === 1 && !parent.standing.circuit.isOpen(clock.elapsed())) === true,
    nextOfSame: () => nextTier((parent) => route.shared?.members.includes(parent) === true)
  }
}

/** What has no effect may be asked for again (RFC 9110 §9.2.1), unless it has content: that is gone once it is sent. */
export const mayRepeat = ({ method, fields }: Question): boolean =>
  (method === 'GET' && fieldOf(fields, 'upgrade') === undefined) || method === 'HEAD' || (method === 'OPTIONS' && fieldOf(fields, 'content-length') === undefined && fieldOf(fields, 'transfer-encoding') === undefined)

/** Those that are not well come last: they are asked where nobody else is left. */
function originsFor(group: OriginGroup, question: Question, now: number): Candidate[] {
  const order = group.order(question.key, () => viewerOf(question), now).map((member) => group.members[member]!)
  const isWell = ({ standing }: Parent): boolean => !standing.isDown
  return [...order.filter(isWell), ...order.filter((parent) => !isWell(parent))].map((parent) => ({ parent, attempt: 1, waitMs: 0 }))
}

const NEIGHBOUR_HEAD = 8192

/** An equal takes no larger heads than we do: what comes near to that, with what is added, must not make it look like a stranger. */
const isSmall = ({ target, fields }: Question): boolean => fields.length < 128 && fields.reduce((sum, text) => sum + text.length, target.length) < NEIGHBOUR_HEAD

/** As the edge has noted it: last. */
const viewerOf = ({ fields }: Question): string => fieldOf(fields, 'x-forwarded-for')?.split(',').at(-1)!.trim() ?? ''
