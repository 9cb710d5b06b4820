import type { Clock } from '../../core/clock.ts'
import type { Question, Reply } from './asker.ts'
import type { Fetched } from './fetcher.ts'
import { makePace, makeResolver, type Resolver } from './resolver.ts'
import { seeAnswer, seeRequest, type Tally } from './tally.ts'

/** Where one kind of client is and what it wants. */
export interface Viewpoint {
  readonly question: Question
  /** Host of the requests, without a final dot. */
  readonly host: string
  /** The struck edge that it is answered with when all is well; absent where none is struck. */
  readonly home?: string
}

export interface LoadOptions {
  readonly viewpoints: readonly Viewpoint[]
  readonly clients: number
  /** Queries, and requests, a second. */
  readonly rate: number
  /** Names by address, for every member that serves HTTP. */
  readonly names: ReadonlyMap<string, string>
  readonly ask: (question: Question) => Promise<Reply>
  /** One request to an address for a host. */
  readonly fetch: (address: string, host: string) => Promise<Fetched>
  readonly tally: Tally
  readonly clock: Clock
  /** 0 to 1: which client sends next. Turns in order would march in step with the TTL. */
  readonly random: () => number
}

/** Clients that resolve for each request, through a cache that honours TTLs. */
export interface Load {
  /** Sends what is due. To be called every few milliseconds. */
  tick(): void
  /** How many clients still believe in an answer that names a struck member. */
  believers(): number
  /** Everything under way has ended. */
  settled(): Promise<void>
}

interface Client {
  readonly resolver: Resolver
  readonly viewpoint: Viewpoint
  /** Part of its first answer's TTL that is left: the caches of a population are of every age. */
  readonly share: number
  filled: boolean
}

/**
 * Each request is some client's, which asks its resolver first; that sends a query when its answer has run out.
 * The queries that this leaves of the rate are asked afresh, each time, by an onlooker: they time the turning points.
 */
export function makeLoad(options: LoadOptions): Load {
  const { viewpoints, clock, tally } = options
  const clients = Array.from({ length: options.clients }, (_, index): Client => {
    const viewpoint = viewpoints[index % viewpoints.length]!
    return { resolver: makeResolver(), viewpoint, share: (index + 1) / options.clients, filled: false }
  })
  const requests = makePace(options.rate, clock.elapsed())
  const queries = makePace(options.rate, clock.elapsed())
  const under = new Set<Promise<void>>()
  let nextViewpoint = 0
  let credit = 0

  const track = (work: Promise<void>): void => {
    under.add(work)
    void work.finally(() => under.delete(work))
  }
  const nameOf = (address: string): string => options.names.get(address) ?? address
  const query = async ({ question, home }: Viewpoint): Promise<Reply> => {
    credit--
    const reply = await options.ask(question)
    seeAnswer(tally, { ...reply, targets: reply.addresses.map(nameOf), ...(home !== undefined && { home }) })
    return reply
  }
  const visit = async (client: Client): Promise<void> => {
    let held = client.resolver.held(clock.elapsed())
    if (held === undefined) {
      const reply = await query(client.viewpoint)
      const [address] = reply.addresses
      // Without an answer there is no request; the answer has been counted.
      if (address === undefined) return
      held = client.resolver.take({ target: nameOf(address), address, ttl: reply.ttl }, clock.elapsed(), client.filled ? 1 : client.share)
      client.filled = true
    }
    // A policy may name addresses that are none of the fleet's: they are not ours to load.
    if (!options.names.has(held.address)) return
    const fetched = await options.fetch(held.address, client.viewpoint.host)
    seeRequest(tally, { target: held.target, ...fetched })
  }

  return {
    tick() {
      const now = clock.elapsed()
      for (let due = requests.due(now); due > 0; due--) track(visit(clients[Math.floor(options.random() * clients.length)]!))
      credit += queries.due(now)
      for (let left = credit; left > 0; left--) track(query(viewpoints[nextViewpoint++ % viewpoints.length]!).then(() => undefined))
    },
    believers: () => clients.filter(({ resolver }) => tally.turns.has(resolver.held(clock.elapsed())?.target ?? '')).length,
    settled: async () => {
      while (under.size > 0) await Promise.all(under)
    }
  }
}
