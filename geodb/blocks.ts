/**
 * Address blocks under construction: sorted, gapless, each a prefix. Neighbours of one place that make up a shorter
 * prefix are merged as they come, so that every block is the widest one in which all addresses share its place.
 */
export interface Blocks {
  count: number
  /** Words of an address: 1 for IPv4, 4 for IPv6. */
  readonly width: number
  /** First addresses, `width` words each. */
  starts: Uint32Array
  /** `place << 8 | length`. */
  values: Uint32Array
}

export function makeBlocks(width: 1 | 4): Blocks {
  return { count: 0, width, starts: new Uint32Array(4096 * width), values: new Uint32Array(4096) }
}

/** Adds the block that follows the last one. */
export function addBlock(blocks: Blocks, start: Uint32Array, length: number, place: number): void {
  if (blocks.count === blocks.values.length) grow(blocks)
  blocks.starts.set(start, blocks.count * blocks.width)
  blocks.values[blocks.count] = ((place << 8) | length) >>> 0
  blocks.count++
  while (blocks.count > 1 && mergeLast(blocks)) continue
}

/** Makes one block of the last two when they are the halves of one prefix and in one place. */
function mergeLast(blocks: Blocks): boolean {
  const { width, starts, values } = blocks
  const last = blocks.count - 1
  const value = values[last]!
  const length = value & 0xff
  if (length === 0 || values[last - 1] !== value) return false
  const word = (length - 1) >>> 5
  const bit = 1 << (31 - ((length - 1) & 31))
  const isUpper = (starts[last * width + word]! & bit) !== 0
  const isLower = (starts[(last - 1) * width + word]! & bit) === 0
  if (!isUpper || !isLower) return false
  values[last - 1] = value - 1
  blocks.count--
  return true
}

function grow(blocks: Blocks): void {
  const starts = new Uint32Array(blocks.starts.length * 2)
  starts.set(blocks.starts)
  const values = new Uint32Array(blocks.values.length * 2)
  values.set(blocks.values)
  blocks.starts = starts
  blocks.values = values
}
