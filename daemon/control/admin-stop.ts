import type { After, Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { formatDuration } from '../../core/quantity.ts'
import type { FleetRequests } from './admin-fleet.ts'
import type { MemberStatus } from './api.ts'
import type { Force } from './forces.ts'
import type { Health } from './health.ts'

/** Stopping and starting members so that no client is sent to one that is going. A returned text says what went wrong. */
export interface Stops {
  /** Takes it out of the answers at once and asks for its end once clients have forgotten it. Returns in how many milliseconds that is. */
  stop(member: MemberStatus, how: { now: boolean; forMs?: number | undefined }): Promise<number | string>
  /** Undoes a stop, pending or done, and any other forced state; its checks bring it back into the answers. */
  start(member: MemberStatus): Promise<string | undefined>
  close(): void
}

export interface StopsOptions {
  readonly health: Pick<Health, 'forces' | 'members'>
  readonly fleet: FleetRequests
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
  /** The greatest TTL of a routed record now, in seconds. */
  routedTtl(): number
}

/** A client may take this long beyond the TTL from its answer to the end of its request. */
const GRACE_MS = 2000

/** Takes up the stops that were under way when the daemon last ended. */
export function makeStops({ health, fleet, clock, after, log, routedTtl }: StopsOptions): Stops {
  const { forces } = health
  const exits = new Map<string, () => void>()

  const exit = async (name: string): Promise<string | undefined> => {
    exits.delete(name)
    const force = forces.get(name)
    if (force?.stop === undefined || force.stop.asked) return undefined
    void forces.update({ ...force, stop: { ...force.stop, asked: true } })
    const trouble = await fleet.ask('stop', name)
    if (trouble !== undefined) log.error({ target: name }, `cannot stop ${name}: ${trouble}; it stays out of the answers`)
    return trouble
  }
  const planExit = (force: Force): void => {
    exits.get(force.name)?.()
    exits.delete(force.name)
    if (force.stop === undefined || force.stop.asked) return
    exits.set(force.name, after(Math.max(0, force.stop.exitsAt - clock.now()), () => void exit(force.name)))
  }
  const revive = async (name: string): Promise<string | undefined> => {
    exits.get(name)?.()
    exits.delete(name)
    const state = health.members().find((member) => member.name === name)?.process
    return state === 'running' || state === 'starting' ? undefined : fleet.ask('start', name)
  }

  for (const force of forces.list()) planExit(force)
  forces.whenEnded(async (force) => {
    if (force.stop === undefined) return
    const trouble = await revive(force.name)
    if (trouble !== undefined) log.error({ target: force.name }, `cannot start ${force.name} again: ${trouble}`)
  })

  return {
    stop: async (member, { now, forMs }) => {
      if (member.health === undefined) return (await fleet.ask('stop', member.name, forMs)) ?? 0
      const before = forces.get(member.name)
      const wanted = clock.now() + (now || member.role !== 'edge' ? 0 : routedTtl() * 1000 + GRACE_MS)
      // A second stop may bring the end forward, never put it off: the clients were sent away by the first.
      const exitsAt = Math.min(wanted, before?.stop?.exitsAt ?? wanted)
      const asked = before?.stop?.asked === true && member.process === 'stopped'
      const until = forMs === undefined ? {} : { until: clock.now() + forMs }
      const force = { name: member.name, state: 'down', why: 'stopped by operator', since: before?.stop === undefined ? clock.now() : before.since, ...until, stop: { exitsAt, asked } } as const
      const saved = forces.set(force)
      const exitsInMs = Math.max(0, exitsAt - clock.now())
      if (asked) return 0
      if (exitsInMs === 0) return (await exit(member.name)) ?? 0
      log.info({ target: member.name }, `${member.name} has left the answers and ends in ${formatDuration(exitsInMs)}`)
      planExit(force)
      await saved
      return exitsInMs
    },
    start: async (member) => {
      await forces.clear(member.name)
      return revive(member.name)
    },
    close: () => {
      for (const cancel of exits.values()) cancel()
    }
  }
}
