import type { HealthTable } from '../../healthchecks/index.ts'
import type { Places } from '../../geodb/index.ts'

/** What an answer can name: an edge of the fleet, or a plain address of a policy. Its index is its word in the health table. */
export interface Target {
  readonly name: string
  /** Plain addresses have no check and are always up. */
  readonly checked: boolean
  readonly ipv4: readonly Uint8Array[]
  readonly ipv6: readonly Uint8Array[]
  /** Degrees; absent for plain addresses. */
  readonly at?: readonly [number, number]
}

/** One step of a decision, for people. `depth` indents it below the step that led to it. */
export interface Step {
  readonly depth: number
  readonly text: string
}

/** Targets that are answered together, with their share of the answers. */
export interface Alternative {
  readonly weight: number
  readonly targets: readonly number[]
}

/** A decision for one policy and place class under one state of health. Not a pick: whoever answers picks by weight. */
export interface Choice {
  /** Never empty unless the policy says so (`on-all-down: empty`). */
  readonly alternatives: readonly Alternative[]
  /** Records of one answer are rotated from answer to answer. */
  readonly rotate: boolean
  /** Every target was down and all were answered as if up. */
  readonly failOpen: boolean
  /** Some target in question is suspect or down: the TTL is cut. */
  readonly unsettled: boolean
}

/** The policies of a daemon, compiled. Plain data inside, so that each thread opens its own over the same image. */
export interface Routing {
  /** The policy's number, or undefined. */
  find(name: string): number | undefined
  /** Whether the place has any say in this policy; when not, answers hold for everybody (ECS scope 0). */
  usesPlace(policy: number): boolean
  /** The class of a place under a policy: places of one class get the same choices. A plain read once it has been asked. */
  classOf(policy: number, place: number): number
  /** Pure: the same arguments give the same choice. `lastGood` is what `on-all-down: last-good` answers. */
  choose(policy: number, placeClass: number, health: HealthTable): Choice
  /** The production path of `choose` for one place, telling each step. */
  explain(policy: number, place: number, health: HealthTable): { choice: Choice; steps: readonly Step[]; candidates: readonly Candidate[] }
}

/** A target in the order in which the policy would take it, for `explain`. */
export interface Candidate {
  readonly target: string
  readonly state: string
  /** Great-circle distance from the place, kilometres, and the round trip it stands for, milliseconds. */
  readonly kilometres?: number
  readonly milliseconds?: number
  readonly chosen: boolean
  /** Why it was skipped or taken. */
  readonly why: string
}

/** What `openRouting` needs in another thread: plain values only. */
export interface RoutingImage {
  readonly policies: unknown
  readonly targets: readonly Target[]
}

export type OpenRouting = (image: RoutingImage, places: Places) => Routing
