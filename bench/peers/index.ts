// The servers that are measured, each as its own manual would have it run: one file each with its configuration, all of them
// given the same zones, the same database of places and the same number of workers. To add one, write its file and a row here.
// Knows how to start and stop them; nothing of what they are asked.
import { bind } from './bind.ts'
import { floor, floorNapping } from './floor.ts'
import { gdnsd, gdnsdGeo, gdnsdWeighted } from './gdnsd.ts'
import { knot, knotGeo } from './knot.ts'
import { nearcast, nearcastSteering } from './nearcast.ts'
import { nsd } from './nsd.ts'
import { powerdns, powerdnsGeo, powerdnsLua } from './powerdns.ts'
import type { Peer } from './types.ts'

export type { Data, Peer, Running, StartOptions } from './types.ts'

/** The floors first, ours last. */
export const peers: readonly Peer[] = [floor, floorNapping, knot, knotGeo, nsd, gdnsd, gdnsdGeo, gdnsdWeighted, bind, powerdns, powerdnsGeo, powerdnsLua, nearcast, nearcastSteering]
export { startNearcast } from './nearcast.ts'
