import { addBlock, makeBlocks, type Blocks } from './blocks.ts'
import { addPrefix, type Overlay } from './overlay.ts'
import type { Override, Overrides } from './overrides.ts'
import { NOWHERE, type PlacesImage } from './places.ts'
import { makeTables, readTables, type FamilyTables } from './tables.ts'

/**
 * Lays what an operator knows better over the tables of a database: new tables, in a time that grows with the number of blocks. The
 * database itself is not needed.
 */
export function mergeOverrides(base: PlacesImage, { networks, resolvers }: Overrides): PlacesImage {
  const { v4, v6, places, about } = readTables(base.tables)
  const numbers = new Map(places.map((text, number) => [text, number]))
  const overlays = (family: 4 | 6, overrides: readonly Override[]): Overlay => {
    const root: Overlay = {}
    for (const { prefix, place } of overrides) {
      if (prefix.family !== family) continue
      const text = JSON.stringify(place)
      const number = numbers.get(text) ?? numbers.size
      numbers.set(text, number)
      addPrefix(root, prefix, number)
    }
    return root
  }
  const merged = { v4: merge(v4, overlays(4, networks)), v6: merge(v6, overlays(6, networks)) }
  const known = { v4: merge(nothing(1), overlays(4, resolvers)), v6: merge(nothing(4), overlays(6, resolvers)) }
  return makeTables(merged.v4, merged.v6, [...numbers.keys()], about, resolvers.length === 0 ? undefined : known)
}

/** The IPv4 of one and the IPv6 of another, which may call the same place by different numbers. */
export function joinFamilies(four: PlacesImage, six: PlacesImage): PlacesImage {
  const { v4, places, about } = readTables(four.tables)
  const { v6, places: more, about: andAbout } = readTables(six.tables)
  const numbers = new Map(places.map((text, number) => [text, number]))
  const renumbered = more.map((text, place) => {
    if (place === NOWHERE) return NOWHERE
    const number = numbers.get(text) ?? numbers.size
    numbers.set(text, number)
    return number
  })
  const blocks = (family: FamilyTables, numberOf: (place: number) => number): Blocks => {
    const { count, width } = family
    const starts = new Uint32Array(count * width)
    const values = new Uint32Array(count)
    for (let block = 0; block < count; block++) {
      for (let word = 0; word < width; word++) starts[block * width + word] = family.start(block, word)
      const value = family.value(block)
      values[block] = ((numberOf(value >>> 8) << 8) | (value & 0xff)) >>> 0
    }
    return { count, width, starts, values }
  }
  return makeTables(blocks(v4, (place) => place), blocks(v6, (place) => renumbered[place]!), [...numbers.keys()], `${about}; ${andAbout}`)
}

/** All addresses, nowhere. */
function nothing(width: 1 | 4): FamilyTables {
  return { count: 1, width, start: () => 0, value: () => NOWHERE << 8 }
}

/** The blocks of `base`, but for what the overlay says. */
function merge(base: FamilyTables, overlay: Overlay): Blocks {
  const { width } = base
  const blocks = makeBlocks(width)
  const address = new Uint32Array(width)
  const start = new Uint32Array(width)
  /** The block from which the next prefix is looked for: prefixes come in the order of their addresses. */
  let at = 0
  const isAtOrBefore = (block: number): boolean => {
    for (let word = 0; word < width; word++) {
      const difference = base.start(block, word) - address[word]!
      if (difference !== 0) return difference < 0
    }
    return true
  }
  const isWithin = (block: number, length: number): boolean => {
    for (let word = 0; word * 32 < length; word++) {
      const bits = Math.min(32, length - word * 32)
      const mask = bits === 32 ? 0xffffffff : ~(0xffffffff >>> bits)
      if (((base.start(block, word) ^ address[word]!) & mask) !== 0) return false
    }
    return true
  }
  const copy = (length: number): void => {
    while (at + 1 < base.count && isAtOrBefore(at + 1)) at++
    if ((base.value(at) & 0xff) <= length) return addBlock(blocks, address, length, base.value(at) >>> 8)
    for (; at < base.count && isWithin(at, length); at++) {
      for (let word = 0; word < width; word++) start[word] = base.start(at, word)
      addBlock(blocks, start, base.value(at) & 0xff, base.value(at) >>> 8)
    }
    at--
  }
  const walk = (over: Overlay | undefined, inherited: number | undefined, depth: number): void => {
    const place = over?.place ?? inherited
    if (over?.zero === undefined && over?.one === undefined) {
      if (place === undefined) copy(depth)
      else addBlock(blocks, address, depth, place)
      return
    }
    walk(over.zero, place, depth + 1)
    const bit = 1 << (31 - (depth & 31))
    address[depth >>> 5]! |= bit
    walk(over.one, place, depth + 1)
    address[depth >>> 5]! &= ~bit
  }
  walk(overlay, undefined, 0)
  return blocks
}
