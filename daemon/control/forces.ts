import { z } from 'zod'
import type { After, Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { formatDuration } from '../../core/quantity.ts'
import type { Forced } from '../../healthchecks/index.ts'
import { makeStateFile, readStateFile } from './health-file.ts'

const schema = z.object({
  name: z.string(),
  state: z.enum(['up', 'down', 'drain']),
  why: z.string(),
  since: z.number(),
  until: z.number().optional(),
  everywhere: z.string().optional(),
  stop: z.object({ exitsAt: z.number(), asked: z.boolean() }).optional()
})

/** What an operator holds a member to, whatever its checks say. Wall times. */
export interface Force {
  readonly name: string
  readonly state: 'up' | 'down' | 'drain'
  readonly why: string
  readonly since: number
  /** When it is undone by itself. */
  readonly until?: number | undefined
  /** It holds at every PoP, and was ordered at this one. */
  readonly everywhere?: string | undefined
  /** It is part of a stop: when its process is to end, and whether the supervisor has been asked for that. */
  readonly stop?: { readonly exitsAt: number; readonly asked: boolean } | undefined
}

/** The forced states, kept in a file over restarts. Those with an end are undone by themselves. */
export interface Forces {
  get(name: string): Force | undefined
  list(): readonly Force[]
  /** In effect at once; the promise resolves when it is on disk. Replaces what held the member before. */
  set(force: Force): Promise<void>
  /** Keeps this instead, if the member is still held; says nothing. */
  update(force: Force): Promise<void>
  clear(name: string): Promise<void>
  /** Called with every force whose time has come, after it was undone; also with those that ended before anybody listened. */
  whenEnded(listener: (force: Force) => void): void
  close(): Promise<void>
}

export interface ForcesOptions {
  readonly file: string
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
  /** Whether there is such a member: a force for one that has left the configuration is dropped. */
  knows(name: string): boolean
  /** `why`: what the operator said; absent with `none`. */
  apply(name: string, forced: Forced, why?: string): void
}

export function openForces({ file, clock, after, log, knows, apply }: ForcesOptions): Forces {
  const disk = makeStateFile(file, log)
  const forces = new Map<string, Force>()
  const ends = new Map<string, () => void>()
  const overdue: Force[] = []
  let ended = (force: Force): void => void overdue.push(force)
  const save = (): Promise<void> => disk.write([...forces.values()])

  const hold = (force: Force): void => {
    ends.get(force.name)?.()
    ends.delete(force.name)
    forces.set(force.name, force)
    apply(force.name, force.state, force.why)
    if (force.until !== undefined) ends.set(force.name, after(Math.max(0, force.until - clock.now()), () => end(force.name)))
  }
  const drop = (name: string): Force | undefined => {
    const force = forces.get(name)
    ends.get(name)?.()
    ends.delete(name)
    if (force !== undefined && forces.delete(name)) apply(name, 'none')
    return force
  }
  const end = (name: string): void => {
    const force = drop(name)
    if (force === undefined) return
    log.info({ target: name, forced: force.state }, `${name} is no longer forced ${force.state}: its time is over`)
    void save()
    ended(force)
  }

  for (const force of readStateFile(file, z.array(schema), log) ?? []) {
    if (!knows(force.name)) {
      log.warn({ target: force.name }, `${force.name} was forced ${force.state}, but is no member any more: forgotten`)
      continue
    }
    log.warn({ target: force.name, forced: force.state, why: force.why }, `${force.name} is still forced ${force.state}, ${describe(force, clock.now())}`)
    hold(force)
  }
  return {
    get: (name) => forces.get(name),
    list: () => [...forces.values()],
    set: (force) => {
      hold(force)
      log.info({ target: force.name, forced: force.state, why: force.why }, `${force.name} is forced ${force.state}${force.everywhere === undefined ? '' : ` at every PoP, as ordered at ${force.everywhere}`}: ${force.why}`)
      return save()
    },
    update: (force) => {
      if (!forces.has(force.name)) return Promise.resolve()
      hold(force)
      return save()
    },
    clear: (name) => {
      const force = drop(name)
      if (force === undefined) return Promise.resolve()
      log.info({ target: name }, `${name} is no longer forced ${force.state}`)
      return save()
    },
    whenEnded: (listener) => {
      ended = listener
      for (const force of overdue.splice(0)) listener(force)
    },
    close: () => {
      for (const cancel of ends.values()) cancel()
      return save()
    }
  }
}

function describe(force: Force, now: number): string {
  const left = force.until === undefined ? 'until it is undone' : `for ${formatDuration(Math.max(0, force.until - now))} more`
  return `${left} (for ${formatDuration(Math.max(0, now - force.since))} so far): ${force.why}`
}
