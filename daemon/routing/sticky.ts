import { hashText, type Sticky, type StickyBy } from './draw.ts'
import type { Reading } from './reading.ts'
import type { Node } from './tree.ts'

// What verbs share whose choice goes by who asks.

const KINDS: readonly StickyBy[] = ['client', 'name']

/** `sticky: client` or the like beside a verb; undefined where nothing is said, and where a fault has been told. */
export function readSticky(key: string, options: Readonly<Record<string, unknown>>, reading: Reading): StickyBy | undefined {
  const value = options[key]
  if (value === undefined) return undefined
  const found = KINDS.find((kind) => kind === value)
  if (found === undefined) reading.fault([key], `${key}: expected client or name`, undefined, 'option')
  return found
}

/** Seeded by the node's name and its branches' own, so that the order in which they are written has no say. */
export function stickyOf(node: Node, shares: Sticky['shares']): Sticky | undefined {
  const { sticky: by, label, arms } = node
  return by && { by, seed: hashText(label), shares, ids: arms.map(({ key }) => hashText(key)) }
}

export function saySticky(by: StickyBy | undefined): string {
  if (by === undefined) return ''
  return by === 'client' ? '; each client network (/24, /56) keeps its own' : '; each name keeps its own'
}
