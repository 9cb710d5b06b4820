import type { HealthTable } from '../../healthchecks/index.ts'

import type { Draw } from './draw.ts'
import type { Drawer, DrawTold } from './tell-draw.ts'
import type { Policies } from './tree.ts'

/** What an answer can name: an edge of the fleet, or an address or a name that a policy writes out. Its index is its word in the health table, where it has no other. */
export interface Target {
  readonly name: string
  /** What has no check has no word in the health table, and is always up. */
  readonly checked: boolean
  /** The named check of a target that is no edge. */
  readonly check?: string
  /** Its word in the health table, told by whoever checks it. */
  readonly word?: number
  /** It is answered as a CNAME to this name, whatever type is asked for: lower case, with the dot at its end. */
  readonly cname?: string
  readonly ipv4: readonly Uint8Array[]
  readonly ipv6: readonly Uint8Array[]
  /** Degrees; absent for plain addresses. */
  readonly at?: readonly [number, number]
  /** Requests per second that it can take, as its configuration says. */
  readonly capacity?: number
}

export type Family = 4 | 6

/** One step of a decision, for people. `depth` indents it below the step that led to it. */
export interface Step {
  readonly depth: number
  readonly text: string
}

/** Targets that are answered together, with their share of the answers. */
export interface Alternative {
  /** Above 0; the shares of a choice add up to 1. */
  readonly weight: number
  readonly targets: readonly number[]
}

/** A decision for one policy and place class under one state of health. Not a pick: whoever answers picks by weight. */
export interface Choice {
  /**
   * Empty when the policy says so (`on-all-down: empty`), and when no target of it has an address of the family that was
   * asked for: NODATA both times.
   */
  readonly alternatives: readonly Alternative[]
  /** How one of them is found for a client where that is not by their weights alone. */
  readonly draw?: Draw
  /** Records of one answer are rotated from answer to answer. */
  readonly rotate: boolean
  /** Records of one answer come in ever other orders; goes before `rotate`. */
  readonly shuffle: boolean
  /** Every target in question was down, and those that are answered were taken as if up. */
  readonly failOpen: boolean
  /** Some target in question is suspect, down or forced out: the TTL is cut. */
  readonly unsettled: boolean
}

/** The policies of a daemon, compiled. Plain data inside, so that each thread opens its own over the same image. */
export interface Routing {
  /** Targets of the image: the edges in the order of nearcast.yaml, then the plain addresses. */
  readonly targets: readonly Target[]
  /** The policy's number, or undefined. */
  find(name: string): number | undefined
  /** Whether the place has any say in this policy; when none of place and network has, answers hold for everybody (ECS scope 0). */
  usesPlace(policy: number): boolean
  /** Whether some of its answers are CNAMEs. */
  leadsToNames(policy: number): boolean
  /** Whether the client's network has any say in this policy. */
  usesNetwork(policy: number): boolean
  /** Whether the network that the query came from has any say in this policy, whatever its client subnet. */
  usesSource(policy: number): boolean
  /**
   * The class of a viewer under a policy: viewers of one class get the same choices. A plain read once it has been asked.
   * @param network the client's, and `source` the one the query came from: numbers of the world's networks; 0 where they have no say
   */
  classOf(policy: number, place: number, network?: number, source?: number): number
  /**
   * Pure: the same arguments and words of health give the same choice.
   * @param family counts only targets that have an address of it, as if the others did not stand in the policy: with edges
   *   of IPv4 alone beside others, AAAA goes to the nearest edge that has IPv6. Absent, and where a policy may answer CNAMEs: every target counts, and an
   *   alternative may hold targets that lack the family in the end asked for.
   */
  choose(policy: number, placeClass: number, health: HealthTable, family?: Family): Choice
  /** The production path of `choose` for one viewer, telling each step. */
  explain(policy: number, place: number, health: HealthTable, family?: Family, network?: number, source?: number): Explanation
  /** How a choice comes out for one client where that goes by who asks, telling each draw. */
  tellDraw(choice: Choice, drawer: Drawer): DrawTold
}

export interface Explanation {
  readonly choice: Choice
  readonly steps: readonly Step[]
  readonly candidates: readonly Candidate[]
}

/** A target in the order in which the policy would take it, for `explain`. */
export interface Candidate {
  readonly target: string
  /** The named check of one that is no edge. */
  readonly check?: string
  /** `UP`, `DOWN`, `UP, suspect`, `UP, forced down`, `no check`. */
  readonly state: string
  /** Great-circle distance from the place, kilometres, and the round trip, measured or what the distance stands for, milliseconds. */
  readonly kilometres?: number
  readonly milliseconds?: number
  /** Absent: it comes from the distance. */
  readonly samples?: number
  readonly chosen: boolean
  /** Why it was skipped or taken. */
  readonly why: string
}

/** What `openRouting` needs in another thread: plain values only. */
export interface RoutingImage {
  readonly policies: Policies
  readonly targets: readonly Target[]
}

