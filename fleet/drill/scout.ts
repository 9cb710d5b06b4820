import type { Question, Reply } from './asker.ts'
import type { Viewpoint } from './load.ts'
import { PLACES } from './places.ts'

/** How often a viewpoint must get the member in a row: a policy that draws lots would fail the drill for it. */
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
 * Finds who is answered with a member: asks for every host from every place.
 * @param hosts names of distributions, without final dots
 * @param addresses the member's
 */
export async function scout(hosts: readonly string[], addresses: readonly string[], ask: (question: Question) => Promise<Reply>): Promise<Scouted> {
  const type = addresses.some((address) => !address.includes(':')) ? 'A' : 'AAAA'
  const found: { viewpoint: Viewpoint; ttl: number }[] = []
  let answered = false
  for (const host of hosts) {
    const asked = await Promise.all(
      PLACES.map(async ({ subnet }) => {
        const viewpoint = { question: { name: host, type, subnet }, host } as const
        return { viewpoint, ttl: await steadyTtl(viewpoint.question, addresses, ask, () => (answered = true)) }
      })
    )
    for (const { viewpoint, ttl } of asked) if (ttl !== undefined) found.push({ viewpoint, ttl })
    if (found.length >= VIEWPOINTS) break
  }
  const kept = found.slice(0, VIEWPOINTS)
  return { viewpoints: kept.map(({ viewpoint }) => viewpoint), ttl: Math.max(0, ...kept.map(({ ttl }) => ttl)), answered }
}

/** The TTL of an answer that names the member alone each time, or undefined. */
async function steadyTtl(question: Question, addresses: readonly string[], ask: (question: Question) => Promise<Reply>, heard: () => void): Promise<number | undefined> {
  let ttl = 0
  for (let round = 0; round < STEADY; round++) {
    const reply = await ask(question)
    if (reply.rcode !== 'LOST') heard()
    if (reply.addresses.length === 0 || !reply.addresses.every((address) => addresses.includes(address))) return undefined
    ttl = Math.max(ttl, reply.ttl)
  }
  return ttl
}
