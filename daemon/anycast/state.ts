import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Lease } from './types.ts'

// What the daemon leaves in the state folder every second: that it lives, what it remembers of each prefix, and what the other PoPs
// said last. A daemon that is started again goes on from there, and the dead-man acts by it when the daemon is dead or hangs.

const announcement = z.enum(['announced', 'demoted', 'withdrawn'])
const history = z.object({ state: announcement, since: z.number(), badSince: z.number().optional(), wellSince: z.number().optional(), servesSince: z.number().optional(), flaps: z.number(), flappedAt: z.number().optional(), hasFallen: z.boolean() })
const lease = z.object({ pop: z.string(), state: announcement, isWell: z.boolean(), isLeaving: z.boolean() })

export const anycastState = z.object({
  pid: z.number(),
  /** Wall time at which it was written. */
  at: z.number(),
  /** The daemon has ended as it was asked to. */
  hasEnded: z.boolean(),
  /** The zone whose SOA tells that DNS is answered. */
  zone: z.string().optional(),
  /** By name of the prefix. */
  prefixes: z.record(z.string(), z.object({ prefix: z.string(), history, isWell: z.boolean(), isLeaving: z.boolean(), leases: z.array(lease) })),
  /** Where DNS and HTTP are asked. */
  ports: z.object({ dns: z.number(), http: z.number() }),
  /** How often the dead-man has acted, as far as the daemon has taken that over. */
  taken: z.number()
})
export type AnycastState = z.output<typeof anycastState>

/** What the dead-man has done. */
export const deadmanState = z.object({
  pid: z.number(),
  at: z.number(),
  /** Counts every time it took over from the daemon, from what the daemon has taken over last. */
  acts: z.number(),
  /** It holds the announcements now. */
  isActing: z.boolean(),
  why: z.string(),
  /** PoPs whose dead-men it hears. */
  heard: z.array(z.string()).default([]),
  prefixes: z.record(z.string(), z.object({ prefix: z.string(), history })),
  /** What other dead-men say of their daemons, by prefix. */
  leases: z.record(z.string(), z.array(lease))
})
export type DeadmanState = z.output<typeof deadmanState>

export const stateFile = (folder: string): string => join(folder, 'anycast.json')
export const deadmanFile = (folder: string): string => join(folder, 'deadman.json')

/** What such a file holds; undefined where there is none, or none that can be read. */
export function readState<Schema extends z.ZodType>(file: string, schema: Schema): z.output<Schema> | undefined {
  try {
    const read = schema.safeParse(JSON.parse(readFileSync(file, 'utf8')))
    return read.success ? read.data : undefined
  } catch {
    return undefined
  }
}

/** Of what is said of one PoP in two ways, what says the worse. */
export function worseOf(one: readonly Lease[], other: readonly Lease[]): Lease[] {
  const others = new Map(other.map((lease) => [lease.pop, lease]))
  return one.map((lease) => {
    const second = others.get(lease.pop)
    return second === undefined ? lease : { ...lease, isWell: lease.isWell && second.isWell, isLeaving: lease.isLeaving || second.isLeaving, state: second.state === 'withdrawn' ? 'withdrawn' : lease.state }
  })
}

/** What the daemon last left in a state folder. */
export const readAnycastState = (folder: string): AnycastState | undefined => readState(stateFile(folder), anycastState)
