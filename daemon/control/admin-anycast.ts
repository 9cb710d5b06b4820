import { z } from 'zod'
import { suggestion } from '../../core/suggest.ts'
import { refuse, type Control, type Reply } from './admin-call.ts'

// What the admin API says of announcements, and takes for them.

const NONE = 'this daemon announces nothing: nearcast.yaml has no anycast:'

export function announcements(_: unknown, { anycast }: Control): Reply {
  return anycast === undefined ? refuse(404, NONE) : { status: 200, body: anycast.status() }
}

export const pinned = z.strictObject({
  prefix: z.string().min(1).max(64).optional(),
  state: z.enum(['announced', 'demoted', 'withdrawn', 'drain', 'none']),
  why: z.string().max(200).default('by operator'),
  forMs: z.int().min(1).max(24 * 86_400_000).optional(),
  isForced: z.boolean().default(false)
})

export async function pin(input: z.output<typeof pinned>, { anycast }: Control): Promise<Reply> {
  if (anycast === undefined) return refuse(404, NONE)
  const names = await anycast.pin(input)
  if (typeof names !== 'string') return { status: 200, body: { done: true, names } }
  const known = anycast.status().prefixes.flatMap(({ name, prefix }) => [name, prefix])
  return refuse(404, `${names} (${suggestion(input.prefix ?? '', known) ?? `known: ${known.join(', ')}`})`)
}
