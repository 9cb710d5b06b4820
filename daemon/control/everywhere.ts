import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Clock } from '../../core/clock.ts'
import { label } from '../../core/config-values.ts'
import type { Logger } from '../../core/log.ts'
import type { Channel } from '../pops/index.ts'
import type { Force, Forces } from './forces.ts'
import { makeStateFile, readStateFile } from './health-file.ts'

// Forced states that hold at every PoP. Each PoP keeps the latest order for each name, tells it to all others, whoever gave it,
// and does what it says when it first hears of it: a PoP that was away learns it from any of them. An order of an operator at one
// PoP alone comes later and goes before it there.

/** An order that has ended is remembered so long, so that no PoP that was away brings it back. */
const REMEMBERED_MS = 7 * 86_400_000
const MOST_ORDERS = 4096
/** Octets that an entry of the channel may have. */
const LARGEST = 400
/** The last moment that a date has. */
const LAST = 8.64e15

const schema = z.object({
  name: z.string().regex(/^[\w.:@-]{1,64}$/),
  state: z.enum(['up', 'down', 'drain', 'none']),
  why: z.string(),
  since: z.int().min(0).max(LAST),
  until: z.int().min(0).max(LAST).optional(),
  by: label
})

/** What was ordered for one name, and at which PoP. Wall times. */
export type Order = z.output<typeof schema>

export interface Everywhere {
  /** Does it here, and has it done at all other PoPs; resolves when it is on disk. */
  order(order: Omit<Order, 'by'>): Promise<void>
  /** The other PoPs, and whether they are heard. */
  others(): readonly { readonly name: string; readonly isHeard: boolean }[]
  close(): Promise<void>
}

export interface EverywhereOptions {
  /** This PoP. */
  readonly own: string
  readonly channel: Pick<Channel, 'put' | 'heard' | 'view' | 'whenChanged'>
  readonly forces: Pick<Forces, 'get' | 'set' | 'clear'>
  /** Whether there is such a member or target here. */
  knows(name: string): boolean
  readonly file: string
  readonly clock: Pick<Clock, 'now'>
  readonly log: Logger
}

export function openEverywhere({ own, channel, forces, knows, file, clock, log }: EverywhereOptions): Everywhere {
  const disk = makeStateFile(file, log)
  const orders = new Map<string, Order>()
  /** What was heard and read already. */
  const read = new WeakSet<Uint8Array>()
  const save = (): Promise<void> => disk.write([...orders.values()])
  const keep = (order: Order): void => {
    orders.set(order.name, order)
    channel.put('forces', keyOf(order.name), writeOrder(order))
  }
  const forgetEnded = (): void => {
    for (const order of orders.values()) {
      if (!isForgotten(order, clock.now())) continue
      orders.delete(order.name)
      channel.put('forces', keyOf(order.name), new Uint8Array(0))
    }
  }
  const hear = (): void => {
    const now = clock.now()
    let any = false
    for (const { name: pop } of channel.view()) {
      for (const octets of channel.heard('forces', pop)?.values() ?? []) {
        if (read.has(octets)) continue
        read.add(octets)
        const order = readOrder(octets)
        if (order === undefined || isForgotten(order, now) || !isLater(order, orders.get(order.name))) continue
        if (!orders.has(order.name) && orders.size >= MOST_ORDERS) continue
        any = true
        keep(order)
        if (knows(order.name)) follow(order, forces, now)
      }
    }
    if (!any) return
    forgetEnded()
    void save()
  }
  for (const order of readStateFile(file, z.array(schema), log) ?? []) if (!isForgotten(order, clock.now())) keep(order)
  channel.whenChanged(hear)
  return {
    order: async (given) => {
      // Whatever another clock says, what is ordered now is later than what is known.
      const order = { ...given, since: Math.max(given.since, (orders.get(given.name)?.since ?? -1) + 1), by: own }
      forgetEnded()
      keep(order)
      await Promise.all([save(), order.state === 'none' ? forces.clear(order.name) : forces.set(forceOf(order))])
    },
    others: () => channel.view().map(({ name, isFresh }) => ({ name, isHeard: isFresh })),
    close: save
  }
}

/** Does what was ordered elsewhere, unless somebody here has ordered otherwise since, or has stopped it: that is undone here alone. */
function follow(order: Order, forces: EverywhereOptions['forces'], now: number): void {
  const before = forces.get(order.name)
  if (before !== undefined && (before.stop !== undefined || before.since > order.since)) return
  if (order.state === 'none') void forces.clear(order.name)
  else if (order.until === undefined || order.until > now) void forces.set(forceOf(order))
}

function forceOf({ name, state, why, since, until, by }: Order): Force {
  return { name, state: state as Force['state'], why, since, ...(until !== undefined && { until }), everywhere: by }
}

/** Of two orders the later counts; of two at one time, at all PoPs the same one. */
function isLater(order: Order, known: Order | undefined): boolean {
  if (known === undefined) return true
  return order.since === known.since ? order.by > known.by : order.since > known.since
}

function isForgotten({ state, since, until }: Order, now: number): boolean {
  const endedAt = state === 'none' ? since : until
  return endedAt !== undefined && now - endedAt > REMEMBERED_MS
}

const keyOf = (name: string): string => createHash('sha256').update(`nearcast force\0${name}`).digest('hex').slice(0, 32)

/** As JSON; the reason is cut where it does not fit. */
function writeOrder(order: Order): Uint8Array {
  for (let letters = [...order.why]; ; letters = letters.slice(0, -8)) {
    const octets = Buffer.from(JSON.stringify({ ...order, why: letters.join('') }))
    if (octets.length <= LARGEST || letters.length === 0) return octets
  }
}

/** Undefined for what is no order. Without control characters: it is shown on terminals. */
function readOrder(octets: Uint8Array): Order | undefined {
  try {
    const read = schema.safeParse(JSON.parse(Buffer.from(octets).toString('utf8')))
    return read.success ? { ...read.data, why: read.data.why.replace(/\p{Cc}/gu, ' ') } : undefined
  } catch {
    return undefined
  }
}
