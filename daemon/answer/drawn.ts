import { addressKey, drawFor, goesByClient, keyLength, subnetKey, type Choice, type Draw } from '../routing/index.ts'
import type { Source } from './place.ts'
import type { Exchange } from './send.ts'
import type { Variant } from './variants.ts'

// Answers that go by who asks: which of the variants of a sticky choice this client has.

/** The variants of a choice and the way to the one of a client. */
export interface Drawn {
  readonly draw: Draw
  readonly byClient: boolean
  /** Per alternative of the choice, its first variant; then how many there are in all. */
  readonly first: readonly number[]
}

/** @param variants those of the choice, in its order */
export function drawnOf({ draw, alternatives }: Choice, variants: readonly Variant[]): Drawn | undefined {
  if (draw === undefined) return undefined
  const first = alternatives.map((_, alternative) => variants.findIndex((variant) => variant.alternative >= alternative))
  return { draw, byClient: goesByClient(draw), first: [...first, variants.length] }
}

/** The variant that this client has. The answer then holds for no wider a network than it goes by. @param name hash of the routed name */
export function drawVariant({ draw, byClient, first }: Drawn, exchange: Exchange, source: Source, name: number, random: () => number): number {
  const client = byClient ? clientKey(exchange, source) : 0
  const alternative = drawFor(draw, client, name, random)
  const start = first[alternative]!
  const count = first[alternative + 1]! - start
  return count <= 1 ? start : start + ((random() >>> 0) % count)
}

/** Of the client's network where the query tells it, else of the address that it came from. */
function clientKey(exchange: Exchange, source: Source): number {
  const { query, bytes } = exchange
  if (query.subnetAt === 0 || query.subnetSource === 0) return addressKey(source.bytes, source.at, source.family)
  const family = query.subnetFamily === 1 ? 4 : 6
  const length = keyLength(family)
  if (exchange.scope < length) exchange.scope = length
  return subnetKey(bytes, query.subnetAt + 4, query.subnetOctets, family)
}
