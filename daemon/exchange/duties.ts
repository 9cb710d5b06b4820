import { createSecretKey, randomBytes } from 'node:crypto'
import { formatAddress } from '../../core/address.ts'
import { systemAfter, systemClock } from '../../core/clock.ts'
import type { SecondaryStatus } from '../control/api.ts'
import { nameFromText, nameToText, TYPE, ALGORITHMS, type TsigKey, type TsigKeys } from '../wire/index.ts'
import type { World } from '../world.ts'
import { findRrset, findZone, recordsOfRrset, type ZoneStep } from '../zone/index.ts'
import type { Primary } from './ask-primary.ts'
import type { Context } from './context.ts'
import { startNotifier } from './notify-out.ts'
import { openRefreshed } from './refreshed.ts'
import type { Peer, Rules } from './rules.ts'
import { startSecondaries } from './secondaries.ts'

// What the exchange does without being asked by a message: keeps secondary zones in step, and notifies peers of changes.

/** Octets of records that a transfer in may have, and milliseconds. */
const LIMITS = { octets: 1 << 30, connect: 10_000, idle: 30_000, total: 3_600_000 }

export interface DutiesOptions {
  readonly rules: Rules
  /** Those of this moment. */
  keys(): TsigKeys
  readonly loader: Context['loader']
  readonly stateFolder?: string | undefined
  world(): World
  readonly log: Context['log']
  onStatus(status: SecondaryStatus): void
}

export interface Duties {
  /** We can be asked: peers are notified from now on, first of what there is. */
  begin(): void
  /** The world is another, and this has led to it. */
  use(steps: readonly ZoneStep[]): void
  /** A primary, by its place in the zone's list, says that its zone has changed. */
  notified(zone: string, primary: number, serial: number | undefined): void
  /** False: it is no secondary zone. */
  refresh(zone: string, isWhole: boolean): boolean
}

/** Looks after every secondary zone from now on, and notifies of every zone that has peers to notify once it is told to begin. */
export function startDuties({ rules, keys, loader, stateFolder, world, log, onStatus }: DutiesOptions): Duties {
  const soaOf = (origin: Uint8Array): Uint8Array | undefined => soaIn(world(), origin)
  const tools = { clock: systemClock, after: systemAfter, random: Math.random, soaOf, log }
  const endpoints = endpointsOf(keys)
  const zones = [...rules.zones].map(([name, { notify, primaries }]) => ({ name, origin: nameFromText(name) as Uint8Array, notify: endpoints(notify), primaries: endpoints(primaries ?? []) }))
  const notifier = startNotifier({ ...tools, zones: new Map(zones.map(({ name, origin, notify }) => [name, { origin, peers: notify }])) })
  const refreshed = openRefreshed(stateFolder, systemAfter, (reason) => log('warn', reason))
  const secondaries = startSecondaries({
    ...tools, limits: LIMITS, onStatus, refreshed: refreshed.times, keepRefreshed: refreshed.keep,
    zones: zones.filter(({ primaries }) => primaries.length > 0),
    keeper: { change: (change) => loader.change(change, 'transfer'), replace: loader.replace, expire: loader.expire }
  })
  let hasBegun = false
  return {
    begin: () => {
      hasBegun = true
      for (const { name } of zones) notifier.changed(name)
    },
    use: (steps) => {
      // Whoever is notified asks at once.
      if (!hasBegun) return
      for (const { origin } of steps) notifier.changed(nameToText(origin))
    },
    notified: (zone, primary, serial) => void secondaries.notified(zone, primary, serial),
    refresh: secondaries.refresh
  }
}

/** Each peer once, so that what is known of it holds for all zones. */
function endpointsOf(keys: () => TsigKeys): (peers: readonly Peer[]) => (Primary & { readonly name: string })[] {
  const known = new Map<string, Primary & { readonly name: string }>()
  const endpoint = ({ name, address, port, key }: Peer): Primary & { readonly name: string } => {
    const plain = { name, address: formatAddress(address.bytes), port }
    const found = known.get(name) ?? (key === undefined ? plain : { ...plain, get key() { return keyNow(key, keys()) } })
    known.set(name, found)
    return found
  }
  return (peers) => peers.map(endpoint)
}

/** The key of a peer as it is now. Of one that is gone nobody knows the secret: nothing unsigned is said or taken in its place. */
function keyNow(name: string, keys: TsigKeys): TsigKey {
  return keys.get(name) ?? { name: nameFromText(name) as Uint8Array, algorithm: ALGORITHMS.get('hmac-sha256')!, secret: createSecretKey(randomBytes(32)) }
}

function soaIn({ zones }: World, origin: Uint8Array): Uint8Array | undefined {
  const apex = findZone(zones, origin)
  const rrset = apex === 0 ? -1 : findRrset(zones, apex, TYPE.SOA)
  if (rrset < 0) return undefined
  for (const { rdata } of recordsOfRrset(zones, apex, rrset)) return rdata
  return undefined
}
