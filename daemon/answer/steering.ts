import type { World } from '../world.ts'
import { TYPE } from '../wire/index.ts'
import { RRSET, rrsetWord } from '../zone/index.ts'
import { drawnOf, drawVariant, type Drawn } from './drawn.ts'
import { classByNetwork, placeOf, type Source } from './place.ts'
import type { Exchange } from './send.ts'
import { variantsOf, type Variant } from './variants.ts'

/** What a routed name answers to a class of clients, and for how long at most. */
export interface Steered {
  readonly variants: readonly Variant[]
  /** Seconds; Infinity when nothing is unsettled. */
  readonly longestTtl: number
  readonly failOpen: boolean
  /** Which variant a client has, where that goes by who asks. */
  readonly drawn?: Drawn
  /** The policy may answer CNAMEs: what stands behind them is more than it has decided. */
  readonly hasNames: boolean
}

/** What policies have had to say in the answer at hand, and what they said in others under the same health. */
export interface Steering {
  /** The policy that was asked, or -1; its class of viewers, or -1 when nothing of them has a say. */
  policy: number
  placeClass: number
  /** Networks have a say in it. */
  isByNetwork: boolean
  /** Another policy was asked too: such an answer is not kept. */
  isMixed: boolean
  /** Which variant this client has, where that goes by who asks, and the hash of the routed name for it. */
  drawn: Drawn | undefined
  name: number
  /** The answer is for the client at hand alone, and not to be kept: what goes by who asks is drawn at once. */
  isLive: boolean
  /** Its answer may be a CNAME. */
  hasNames: boolean
  /** Random numbers at which the answer changes to its next variant: ascending, unsigned, the last 2^32 - 1. Empty: it has one. */
  turns: readonly number[]
  /** Choices by policy, class and type, so that many names of one policy cost one decision. */
  readonly choices: Map<number, Steered>
}

/** Choices are forgotten past so many. */
const MOST_CHOICES = 1 << 14

export function makeSteering(): Steering {
  return { policy: -1, placeClass: -1, isByNetwork: false, isMixed: false, drawn: undefined, name: 0, isLive: false, hasNames: false, turns: [], choices: new Map() }
}

/** Another answer begins. */
export function beginSteering(steering: Steering): void {
  steering.policy = -1
  steering.placeClass = -1
  steering.isMixed = false
  steering.drawn = undefined
  steering.isLive = false
  steering.hasNames = false
  steering.turns = NONE
}

/** The same answer is put together once more: what is drawn in it is not drawn twice. */
export function steerAgain(steering: Steering): void {
  steering.drawn = undefined
  steering.turns = NONE
}

const NONE: readonly number[] = []

/** What the policy of a ROUTE record allows this client to have of type A or AAAA, under the health of now. @param name hash of the routed name */
export function steer(steering: Steering, exchange: Exchange, world: World, source: Source, random: () => number, rrset: number, type: number, name: number): Steered {
  const { routing } = world
  const policy = policyOf(world, rrset)
  const isByNetwork = routing.usesNetwork(policy) || routing.usesSource(policy)
  const usesPlace = routing.usesPlace(policy)
  const placeClass = isByNetwork ? classByNetwork(exchange, world, policy, source) : routing.classOf(policy, usesPlace ? placeOf(exchange, world.places, source) : 0)
  if (steering.policy < 0) {
    steering.policy = policy
    steering.placeClass = usesPlace || isByNetwork ? placeClass : -1
    steering.isByNetwork = isByNetwork
  } else if (steering.policy !== policy) steering.isMixed = true
  const key = (placeClass * 65536 + policy) * 2 + (type === TYPE.A ? 0 : 1)
  let steered = steering.choices.get(key)
  if (steered === undefined) {
    steered = decide(world, policy, placeClass, type)
    if (steering.choices.size >= MOST_CHOICES) steering.choices.clear()
    steering.choices.set(key, steered)
  }
  if (steered.hasNames) steering.hasNames = true
  if (steered.failOpen) exchange.failOpen = true
  if (steered.variants.length < 2) return steered
  const { drawn } = steered
  if (drawn !== undefined && steering.isLive) return { ...steered, variants: [{ ...steered.variants[drawVariant(drawn, exchange, source, name, random)]!, upTo: 0xffffffff }] }
  // What is drawn twice in one answer, for A and for AAAA, is not told by the number of one variant.
  if (steering.turns.length > 0 && (drawn ?? steering.drawn) !== undefined) steering.isMixed = true
  if (drawn !== undefined) {
    steering.drawn = drawn
    steering.name = name
  }
  addTurns(steering, steered)
  return steered
}

/** Whether the policy of a ROUTE record may answer CNAMEs. */
export function leadsOn(world: World, rrset: number): boolean {
  return world.routing.leadsToNames(policyOf(world, rrset))
}

function policyOf({ zones, routing }: World, rrset: number): number {
  const at = rrsetWord(zones, rrset, RRSET.DATA) + 2
  const name = Buffer.from(zones.bytes.slice(at, at - 2 + rrsetWord(zones, rrset, RRSET.LENGTH))).toString('latin1')
  const policy = routing.find(name)
  if (policy === undefined) throw new Error(`there is no policy ${name}`)
  return policy
}

function decide({ routing, health, targets, suspectTtl }: World, policy: number, placeClass: number, type: number): Steered {
  const hasNames = routing.leadsToNames(policy)
  const choice = routing.choose(policy, placeClass, health, type === TYPE.A ? 4 : 6)
  const variants = variantsOf(choice, targets, type, hasNames)
  const drawn = drawnOf(choice, variants)
  return { variants, longestTtl: choice.unsettled ? suspectTtl : Infinity, failOpen: choice.failOpen, hasNames, ...(drawn !== undefined && { drawn }) }
}

/** A and AAAA of one policy may be shared out differently: the answer that has both changes wherever either does. */
function addTurns(steering: Steering, { variants }: Steered): void {
  const { turns } = steering
  if (turns.length === 0) steering.turns = variants.map(({ upTo }) => upTo)
  else if (variants.some(({ upTo }) => !turns.includes(upTo))) steering.turns = [...new Set([...turns, ...variants.map(({ upTo }) => upTo)])].sort((a, b) => a - b)
}

/** The variant that a random number of 32 bits falls to; undefined when there is none at all. */
export function pickVariant({ variants }: Steered, pick: number): Variant | undefined {
  return variants.find(({ upTo }) => pick <= upTo)
}
