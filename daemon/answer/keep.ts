import { RCODE, TYPE } from '../wire/index.ts'
import type { World } from '../world.ts'
import { assemble } from './assemble.ts'
import type { Assembly } from './assembly.ts'
import { OUTCOMES } from './counters.ts'
import { bodyOctets, findPrepared, forgetAll, forgetChanged, forgetSteered, isAskedAgain, isKeepable, keepCut, keepEntry, keepSteered, keepVariant, shareEntry, STATE, type Keeping, type Prepared } from './prepared.ts'
import { HEADER, type Exchange } from './send.ts'
import { steerAgain, type Steering } from './steering.ts'

/** An exchange whose answer has just been put together. */
export interface Kept extends Exchange {
  readonly world: World
  readonly prepared: Prepared
  readonly assembly: Assembly
  readonly steering: Steering
  readonly isTcp: boolean
}

const ONE_TURN: readonly number[] = [0xffffffff]

/**
 * Keeps the answer just put together under its key; a choice with all its variants, so that another of them may stand in the
 * assembly afterwards.
 * @param limit octets it had, but for the OPT
 * @returns the entry, or -1 when it is not kept
 */
export function keep(kept: Kept, node: number, kind: number, limit: number): number {
  const { assembly, prepared, query, steering, failOpen } = kept
  const { reply } = assembly
  const bodyAt = HEADER + query.name.length + 4
  if (assembly.single || steering.isMixed || assembly.rcode === RCODE.SERVFAIL) return -1
  const state =
    assembly.rcode | (OUTCOMES.indexOf(assembly.outcome) << 8) | (assembly.authoritative ? STATE.AUTHORITATIVE : 0) | (failOpen ? STATE.FAIL_OPEN : 0) | (assembly.isOwn ? STATE.OWN : 0)
  const keeping: Keeping = { node, kind, state, nameLength: query.name.length, count: 1, octets: bodyOctets(reply, bodyAt) }
  if (steering.policy >= 0) return isKeepable(reply, bodyAt) ? keepChoice(kept, keeping, limit, bodyAt) : -1
  const isCut = reply.truncated && assembly.isOwn && !kept.isTcp
  if (!(isCut || isKeepable(reply, bodyAt)) || !isAskedAgain(prepared, node, kind)) return -1
  if (isCut) {
    const entry = keepEntry(prepared, { ...keeping, state: state | STATE.CUT, octets: 0 })
    if (entry >= 0) keepCut(prepared, entry, limit - bodyAt + 1)
    return entry
  }
  const entry = keepEntry(prepared, keeping)
  if (entry >= 0) keepVariant(prepared, entry, 0, 0xffffffff, reply, bodyAt, keeping.octets)
  return entry
}

function keepChoice(kept: Kept, keeping: Keeping, limit: number, bodyAt: number): number {
  const { assembly, prepared, query, world, steering } = kept
  const { reply } = assembly
  const { policy, placeClass } = steering
  const turns = steering.turns.length > 1 ? steering.turns : ONE_TURN
  const put = (upTo: number): void => {
    steerAgain(steering)
    assemble(assembly, world.zones, query, kept.isTcp, limit, upTo)
  }
  const { rcode, authoritative } = assembly
  let { octets } = keeping
  for (const upTo of turns.slice(1)) {
    put(upTo)
    // What a CNAME leads to may be no name at all, or steered by a policy of its own: an entry has one RCODE and one policy.
    if (!isKeepable(reply, bodyAt) || assembly.rcode !== rcode || assembly.authoritative !== authoritative || steering.isMixed) return -1
    octets = Math.max(octets, bodyOctets(reply, bodyAt))
  }
  // What a CNAME leads to may be the name itself, and then others are answered otherwise.
  // A SOA whose owner is the very question stays where it is, however long a question is: the zone's own name is no kin to others.
  const isApex = reply.shared === query.name.labels
  const family = assembly.isRouted && !steering.hasNames ? `${policy} ${assembly.ttl} ${assembly.apex} ${query.type === TYPE.A ? 4 : 6}${isApex ? ' @' : ''}` : undefined
  const state = keeping.state | (steering.isByNetwork ? STATE.BY_NETWORK : 0) | (steering.drawn === undefined ? 0 : STATE.DRAWN)
  const entry = keepSteered(prepared, { ...keeping, state, count: turns.length, octets }, policy, placeClass, family)
  if (entry < 0) return -1
  const { drawn, name } = steering
  for (const [variant, upTo] of turns.entries()) {
    if (turns.length > 1) put(upTo)
    if (keepVariant(prepared, entry, variant, upTo, reply, bodyAt, octets)) continue
    forgetSteered(prepared)
    return -1
  }
  if (drawn !== undefined) prepared.drawn.set(entry, { drawn, name: assembly.isRouted ? undefined : name })
  return turns.length > 1 ? entry : shareEntry(prepared, findPrepared(prepared, keeping.node, keeping.kind), Math.max(0, placeClass), entry)
}

/** Answers from another world: what is sure to be as it was is kept. */
export function forgetOld(prepared: Prepared, before: World, now: World): void {
  const { kept } = now
  if (kept !== undefined && before.kept !== undefined && kept.zones === before.kept.zones && kept.policies === before.kept.policies) forgetChanged(prepared)
  else forgetAll(prepared)
}
