import { makeTable } from '../table.ts'
import type { Entry } from './format.ts'

/** Where on disk what is held lies, by the first 64 bits of its id: 33 octets an object, in typed arrays. */
export interface Places {
  readonly count: number
  /** The place of an id, as a number that stands until it is removed; 0 when there is none. */
  find(high: number, low: number): number
  set(segment: number, entry: Entry): void
  remove(place: number): void
  at(place: number): { readonly segment: number; readonly offset: number; readonly length: number }
  /** The first 64 bits of its id. */
  idAt(place: number): [high: number, low: number]
  use(place: number): void
  usesOf(place: number): number
  inSegment(segment: number): number[]
}

const MOST_USES = 255

export function makePlaces(most: number): Places {
  const table = makeTable(most + 1)
  const lows = new Uint32Array(most + 1)
  const segments = new Uint32Array(most + 1)
  const offsets = new Uint32Array(most + 1)
  const lengths = new Uint32Array(most + 1)
  const uses = new Uint8Array(most + 1)
  let count = 0
  let used = 0
  let free = 0
  const find = (high: number, low: number): number => {
    for (let place = table.first(high); place !== 0; place = table.next[place]!) if (table.hashes[place] === high && lows[place] === low) return place
    return 0
  }
  const take = (high: number, low: number): number => {
    const place = free === 0 ? used + 1 : free
    if (place > most) return 0
    if (free === 0) used++
    else free = table.next[place]!
    lows[place] = low
    table.add(place, high)
    count++
    return place
  }
  return {
    get count() {
      return count
    },
    find,
    set: (segment, { high, low, offset, length }) => {
      const place = find(high, low) || take(high, low)
      if (place === 0) return
      segments[place] = segment
      offsets[place] = offset
      lengths[place] = length
      uses[place] = 0
    },
    remove: (place) => {
      table.remove(place)
      segments[place] = 0
      table.next[place] = free
      free = place
      count--
    },
    at: (place) => ({ segment: segments[place]!, offset: offsets[place]!, length: lengths[place]! }),
    idAt: (place) => [table.hashes[place]!, lows[place]!],
    use: (place) => {
      if (uses[place]! < MOST_USES) uses[place]!++
    },
    usesOf: (place) => uses[place]!,
    inSegment: (segment) => {
      const places: number[] = []
      for (let place = 1; place <= used; place++) if (segments[place] === segment) places.push(place)
      return places
    }
  }
}
