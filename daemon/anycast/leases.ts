import type { Channel } from '../pops/index.ts'
import type { Announcement, Intent, Lease } from './types.ts'

// What PoPs tell each other of announcements: an entry for each prefix, its key the prefix, and two octets: version, and flags.
//
//   bits 0-1  0 withdrawn, 1 demoted, 2 announced
//   bit  2    it serves there
//   bit  3    it is about to withdraw

const VERSION = 1
const STATES: readonly Announcement[] = ['withdrawn', 'demoted', 'announced']
const IS_WELL = 1 << 2
const IS_LEAVING = 1 << 3

/** The key of a prefix among the entries of its kind: hexadecimal digits. */
export const keyOfPrefix = (prefix: string): string => Buffer.from(prefix, 'latin1').toString('hex')

export function writeLease({ state, isWell, isLeaving }: Pick<Intent, 'state' | 'isWell' | 'isLeaving'>): Uint8Array {
  return Uint8Array.of(VERSION, STATES.indexOf(state) | (isWell ? IS_WELL : 0) | (isLeaving ? IS_LEAVING : 0))
}

/** Undefined for what is none. */
export function readLease(pop: string, octets: Uint8Array): Lease | undefined {
  const [version, flags] = octets
  const state = STATES[(flags ?? 3) & 3]
  if (version !== VERSION || flags === undefined || state === undefined) return undefined
  return { pop, state, isWell: (flags & IS_WELL) !== 0, isLeaving: (flags & IS_LEAVING) !== 0 }
}

/** Which of the PoPs may have said what they say before they knew that this one is about to withdraw, as it decided last. */
export function unawareOf(leases: readonly Lease[], decided: Intent | undefined, channel: Pick<Channel, 'isAbreast'> | undefined): ReadonlySet<string> {
  return new Set(leases.flatMap(({ pop }) => (decided?.isLeaving === true && channel?.isAbreast('leases', pop) === true ? [] : [pop])))
}
