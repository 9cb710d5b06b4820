import { drawFor, goesByClient, mix, type Choice, type Draw } from '../routing/index.ts'
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

/** Clients are told apart by no longer prefixes than these, whatever a resolver tells of them (RFC 7871 §11.1). */
const PREFIX4 = 24
const PREFIX6 = 56

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
  if (query.subnetAt === 0 || query.subnetSource === 0) return hashOctets(source.bytes, source.at, source.family === 4 ? 4 : 16, 16)
  const prefix = query.subnetFamily === 1 ? PREFIX4 : PREFIX6
  if (exchange.scope < prefix) exchange.scope = prefix
  return hashOctets(bytes, query.subnetAt + 4, Math.min(query.subnetOctets, prefix >>> 3), prefix >>> 3)
}

/** Of so many octets, those past `count` being zero. */
function hashOctets(bytes: Uint8Array, at: number, count: number, octets: number): number {
  let hash = octets
  for (let word = 0; word < octets; word += 4) {
    let value = 0
    for (let octet = word; octet < word + 4; octet++) value = (value << 8) | (octet < count ? bytes[at + octet]! : 0)
    hash = mix(Math.imul(hash, 0x9e3779b1) ^ value)
  }
  return hash
}
