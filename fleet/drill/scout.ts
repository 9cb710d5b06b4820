import type { Question, Reply } from './asker.ts'
import type { Viewpoint } from './load.ts'
import { PLACES } from './places.ts'

/** How often a viewpoint must get the same in a row: a policy that draws lots would fail the drill for it. */
const STEADY = 3
/** More than these add nothing to a drill. */
const VIEWPOINTS = 8

export interface Scouted {
  readonly viewpoints: readonly Viewpoint[]
  /** The greatest TTL seen, seconds. */
  readonly ttl: number
  /** Whether DNS answered at all. */
  readonly answered: boolean
}

/**
 * Finds out who is answered with whom: asks for every host from every place.
 * @param hosts names of distributions, without final dots
 * @param homes struck edges by their addresses; empty: it makes no difference who is answered
 */
export async function scout(hosts: readonly string[], homes: ReadonlyMap<string, string>, ask: (question: Question) => Promise<Reply>): Promise<Scouted> {
  const addresses = [...homes.keys()]
  const type = addresses.length === 0 || addresses.some((address) => !address.includes(':')) ? 'A' : 'AAAA'
  const most = Math.ceil(VIEWPOINTS / Math.max(1, new Set(homes.values()).size))
  const kept = new Map<string | undefined, Viewpoint[]>()
  let ttl = 0
  let answered = false
  for (const host of hosts) {
    const asked = await Promise.all(
      PLACES.map(async ({ subnet }) => {
        const question = { name: host, type, subnet } as const
        return { question, steady: await steadyAnswer(question, ask, () => (answered = true)) }
      })
    )
    for (const { question, steady } of asked) {
      const home = steady === undefined ? undefined : homes.get(steady.addresses[0]!)
      const isWanted = steady !== undefined && (homes.size === 0 || (home !== undefined && steady.addresses.every((address) => homes.get(address) === home)))
      const found = kept.get(home) ?? []
      if (!isWanted || found.length >= most) continue
      kept.set(home, [...found, { question, host, ...(home !== undefined && { home }) }])
      ttl = Math.max(ttl, steady.ttl)
    }
  }
  return { viewpoints: [...kept.values()].flat(), ttl, answered }
}

/** The addresses that are answered each time, and the greatest TTL they come with; undefined when they differ, or there are none. */
async function steadyAnswer(question: Question, ask: (question: Question) => Promise<Reply>, heard: () => void): Promise<{ addresses: readonly string[]; ttl: number } | undefined> {
  let first: string | undefined
  let ttl = 0
  let addresses: readonly string[] = []
  for (let round = 0; round < STEADY; round++) {
    const reply = await ask(question)
    if (reply.rcode !== 'LOST') heard()
    addresses = reply.addresses
    const text = [...addresses].sort().join()
    if (text === '' || (first !== undefined && text !== first)) return undefined
    first = text
    ttl = Math.max(ttl, reply.ttl)
  }
  return { addresses, ttl }
}
