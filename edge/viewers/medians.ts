/** What is known of the round trip between one network and one edge. */
export interface Measured {
  /** As `clientNetwork` writes it. */
  readonly network: string
  /** The edge's number. */
  readonly target: number
  /** The median of what its addresses had last, each weighing the less the older it is. Milliseconds. */
  readonly ms: number
  /** Samples so far, those of long ago counting less. */
  readonly samples: number
  /** At least so many addresses (or /56 of IPv6) have been heard. */
  readonly addresses: number
}

export interface MedianLimits {
  /** Pairs of a network and an edge that are kept. */
  readonly cells: number
  /** After this long a sample weighs half. */
  readonly halfLifeMs: number
  /** What a row needs to be told: a liar alone is nobody. */
  readonly leastAddresses: number
  readonly leastSamples: number
}

/** Decayed medians in memory of fixed size. */
export interface Medians {
  /** Whether a voter has been heard in this second: then there is nothing new to learn. */
  isFresh(network: string, target: number, voter: number, now: number): boolean
  add(network: string, target: number, voter: number, ms: number, now: number): void
  /** What has changed since a moment and may be told. */
  rows(since: number, now: number): Measured[]
  readonly size: number
}

/** Of each cell: a voter has one of these places, and so one vote, however often it comes. */
const VOTES = 32
/** Sixteenths of a millisecond: 4 seconds fit. */
const UNIT = 16
/** Cells looked at for the one that gives way. */
const LOOKS = 16
/** Of the cells, what one IPv6 /32 may hold: addresses cost nothing there. */
const SHARE = 8
/** A sample of more half-lives ago counts no more. */
const LIVES = 8

/** What is held, cell by cell. */
interface Cells {
  readonly limits: MedianLimits
  readonly seed: number
  readonly values: Uint16Array
  /** Seconds + 1; 0: nobody was there. */
  readonly stamps: Uint32Array
  readonly counts: Float32Array
  readonly touched: Float64Array
  /** `NETWORK TARGET` of each cell, and the cell of each. */
  readonly keys: string[]
  readonly found: Map<string, number>
  /** Cells that each IPv6 /32 holds. */
  readonly held: Map<string, number>
  hand: number
}

/** @param seed makes it hard to say which voters share a place */
export function makeMedians(limits: MedianLimits, seed: number): Medians {
  const { cells: most } = limits
  const cells: Cells = {
    limits, seed, values: new Uint16Array(most * VOTES), stamps: new Uint32Array(most * VOTES), counts: new Float32Array(most), touched: new Float64Array(most),
    keys: [], found: new Map(), held: new Map(), hand: 0
  }
  const { values, stamps, counts, touched, found } = cells
  return {
    get size() {
      return found.size
    },
    isFresh(network, target, voter, now) {
      const cell = found.get(`${network} ${target}`)
      return cell !== undefined && stamps[placeOf(cells, cell, voter)] === Math.floor(now / 1000) + 1
    },
    add(network, target, voter, ms, now) {
      const key = `${network} ${target}`
      const cell = found.get(key) ?? takeCell(cells, key, now)
      if (cell < 0) return
      const place = placeOf(cells, cell, voter)
      values[place] = Math.max(1, Math.min(0xffff, Math.round(ms * UNIT)))
      stamps[place] = Math.floor(now / 1000) + 1
      counts[cell] = samplesOf(cells, cell, now) + 1
      touched[cell] = now
    },
    rows(since, now) {
      const rows: Measured[] = []
      for (const [key, cell] of found) {
        if (touched[cell]! < since || !mayBeTold(cells, cell, now)) continue
        const space = key.indexOf(' ')
        rows.push({ network: key.slice(0, space), target: Number(key.slice(space + 1)), ms: medianOf(cells, cell, now), samples: Math.round(samplesOf(cells, cell, now)), addresses: votesOf(cells, cell, now).length })
      }
      return rows
    }
  }
}

const placeOf = ({ seed }: Cells, cell: number, voter: number): number => cell * VOTES + (Math.imul(voter ^ seed, 0x9e3779b1) >>> 27)

const decay = ({ limits }: Cells, age: number): number => 2 ** (-age / limits.halfLifeMs)

const samplesOf = (cells: Cells, cell: number, now: number): number => cells.counts[cell]! * decay(cells, now - cells.touched[cell]!)

/** The last sample of each place that still counts. */
function votesOf(cells: Cells, cell: number, now: number): { readonly value: number; readonly weight: number }[] {
  const { stamps, values, limits } = cells
  const oldest = (now - LIVES * limits.halfLifeMs) / 1000 + 1
  const votes: { value: number; weight: number }[] = []
  for (let place = cell * VOTES; place < (cell + 1) * VOTES; place++) {
    const stamp = stamps[place]!
    if (stamp !== 0 && stamp >= oldest) votes.push({ value: values[place]!, weight: decay(cells, now - (stamp - 1) * 1000) })
  }
  return votes
}

function medianOf(cells: Cells, cell: number, now: number): number {
  const votes = votesOf(cells, cell, now).sort((a, b) => a.value - b.value)
  const total = votes.reduce((sum, { weight }) => sum + weight, 0)
  let sum = 0
  for (const { value, weight } of votes) if ((sum += weight) * 2 >= total) return value / UNIT
  return 0
}

function mayBeTold(cells: Cells, cell: number, now: number): boolean {
  const { leastAddresses, leastSamples } = cells.limits
  return samplesOf(cells, cell, now) >= leastSamples && votesOf(cells, cell, now).length >= leastAddresses
}

/** A cell for a new key: a free one, or one that gives way. -1: there is none. */
function takeCell(cells: Cells, key: string, now: number): number {
  const { limits, keys, found, held, stamps, counts } = cells
  const group = groupOf(key)
  if (group !== undefined && (held.get(group) ?? 0) * SHARE >= limits.cells) return -1
  const cell = keys.length < limits.cells ? keys.length : worstOf(cells, now)
  if (cell < 0) return -1
  const before = keys[cell]
  if (before !== undefined) {
    found.delete(before)
    count(held, groupOf(before), -1)
    stamps.fill(0, cell * VOTES, (cell + 1) * VOTES)
    counts[cell] = 0
  }
  keys[cell] = key
  found.set(key, cell)
  count(held, group, 1)
  return cell
}

/** The one of the next few that is worth least: old, or not worth telling yet. -1: all of them are good. */
function worstOf(cells: Cells, now: number): number {
  let chosen = -1
  let least = Infinity
  for (let look = 0; look < LOOKS; look++) {
    const cell = cells.hand
    cells.hand = cell + 1 === cells.limits.cells ? 0 : cell + 1
    const samples = samplesOf(cells, cell, now)
    if (samples >= least || (samples > 1 && mayBeTold(cells, cell, now))) continue
    chosen = cell
    least = samples
  }
  return chosen
}

function count(held: Map<string, number>, group: string | undefined, change: number): void {
  if (group === undefined) return
  const number = (held.get(group) ?? 0) + change
  if (number === 0) held.delete(group)
  else held.set(group, number)
}

/** The /32 of an IPv6 network; undefined for IPv4, where addresses are few. */
function groupOf(key: string): string | undefined {
  const first = key.indexOf(':')
  return first < 0 ? undefined : key.slice(0, key.indexOf(':', first + 1))
}
