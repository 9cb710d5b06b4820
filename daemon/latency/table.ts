import { networkOfKey } from '../../core/client-network.ts'
import type { LatencyReport, LatencyRow } from '../../core/latency-report.ts'
import { isSpecialUse } from '../../core/special-use.ts'
import type { LatencyImage } from '../../geodb/index.ts'
import { makeImage, systemName } from './image.ts'
import { settle, type Figures } from './settle.ts'

/** What is known of the round trip between a network and an edge. */
export interface KnownCell extends LatencyRow {
  /** Wall time of the latest report of it, milliseconds. */
  readonly at: number
  /** Its edge itself said so, and not browsers by way of another. */
  readonly own: boolean
}

/** Where a network is. */
export interface Where {
  readonly country?: string
  readonly system?: number
  /** The least that light needs to an edge and back, milliseconds; 0 where that cannot be said. */
  leastMs(edge: number): number
}
export type WhereOf = (address: Uint8Array) => Where

export interface TableOptions {
  /** Names, in the order of the targets. */
  readonly edges: readonly string[]
  /** Networks that are kept: those not heard of for longest give way. */
  readonly networks: number
  readonly forgetMs: number
  readonly leastAddresses: number
  readonly leastSamples: number
  /** Special-use networks count. */
  readonly local: boolean
}

export interface LatencyTable {
  /** @param asked the edge that was asked: it speaks for no other */
  take(report: LatencyReport, asked: string, now: number): void
  /** What was known at an earlier start. */
  restore(cells: readonly KnownCell[], now: number): void
  /** What policies are to go by from now on; undefined while that is as it was. Forgets what is old. */
  told(where: WhereOf, now: number): LatencyImage | undefined
  cells(): KnownCell[]
  /** What policies go by for whole autonomous systems (`AS4766`) and countries (`KR`). */
  wholes(): ReadonlyMap<string, Figures>
  readonly size: number
}

interface Entry {
  readonly address: Uint8Array
  readonly cells: (KnownCell | undefined)[]
}

const LONGEST_MS = 4000
/** What browsers say of the way to an edge waits until what the edge itself said is this old. */
const OWN_HOLDS_MS = 3_600_000
/** Networks of a country or an autonomous system without which nothing is said of the whole. */
const LEAST_NETWORKS = 3
/** One network weighs no more than so many samples do. */
const HEAVIEST = 100

export function makeLatencyTable(options: TableOptions): LatencyTable {
  const { edges, networks, forgetMs, leastAddresses, leastSamples, local } = options
  const entries = new Map<string, Entry>()
  let before: ReadonlyMap<string, Figures> = new Map()

  const put = (cell: KnownCell, now: number): void => {
    const target = edges.indexOf(cell.edge)
    if (target < 0 || !isSound(cell) || cell.samples < leastSamples || cell.addresses < leastAddresses) return
    const address = entries.get(cell.network)?.address ?? networkOfKey(cell.network)?.bytes
    if (address === undefined || (!local && isSpecialUse(address))) return
    const entry = entries.get(cell.network) ?? { address, cells: [] }
    const known = entry.cells[target]
    if (known?.own === true && !cell.own && now - known.at < OWN_HOLDS_MS) return
    entry.cells[target] = cell
    // The order of the map is that of the latest news.
    entries.delete(cell.network)
    entries.set(cell.network, entry)
    if (entries.size > networks) entries.delete(entries.keys().next().value!)
  }

  const forget = (now: number): void => {
    for (const [network, { cells }] of entries) {
      for (const [target, cell] of cells.entries()) if (cell !== undefined && now - cell.at > forgetMs) cells[target] = undefined
      if (cells.every((cell) => cell === undefined)) entries.delete(network)
    }
  }

  return {
    get size() {
      return entries.size
    },
    take(report, asked, now) {
      if (report.edge !== asked) return
      for (const row of report.rows) put({ ...row, at: now, own: row.edge === asked }, now)
    },
    restore(cells, now) {
      for (const cell of cells) if (cell.at <= now && now - cell.at <= forgetMs) put(cell, now)
    },
    told(where, now) {
      forget(now)
      const settled = settle(before, figuresOf(entries, where, edges.length))
      if (settled === undefined) return undefined
      before = settled
      return makeImage(settled, edges.length)
    },
    wholes: () => new Map([...before].filter(([row]) => !row.includes('/'))),
    cells: () => [...entries.values()].flatMap(({ cells }) => cells.filter((cell) => cell !== undefined))
  }
}

function isSound({ ms, samples, addresses }: LatencyRow): boolean {
  return Number.isFinite(ms) && ms > 0 && ms <= LONGEST_MS && Number.isSafeInteger(samples) && Number.isSafeInteger(addresses)
}

/** The figures of every network, and of the systems and countries that have enough of them. */
function figuresOf(entries: ReadonlyMap<string, Entry>, where: WhereOf, columns: number): Map<string, Figures> {
  const figures = new Map<string, Figures>()
  const wholes = new Map<string, Figures[]>()
  for (const [network, { address, cells }] of entries) {
    const place = where(address)
    const own = Array.from({ length: columns }, (_, target) => {
      const cell = cells[target]
      return cell === undefined ? undefined : { ms: Math.max(cell.ms, isSpecialUse(address) ? 0 : place.leastMs(target)), samples: cell.samples }
    })
    figures.set(network, own)
    for (const whole of [place.system === undefined ? undefined : systemName(place.system), place.country]) {
      if (whole === undefined) continue
      const list = wholes.get(whole)
      if (list === undefined) wholes.set(whole, [own])
      else list.push(own)
    }
  }
  for (const [whole, members] of wholes) {
    const own = Array.from({ length: columns }, (_, target) => medianOver(members.flatMap((member) => member[target] ?? [])))
    if (own.some((figure) => figure !== undefined)) figures.set(whole, own)
  }
  return figures
}

/** The median over networks, each by its samples up to a bound. */
function medianOver(members: readonly { readonly ms: number; readonly samples: number }[]): Figures[number] {
  if (members.length < LEAST_NETWORKS) return undefined
  const weighed = members.map(({ ms, samples }) => ({ ms, weight: Math.min(samples, HEAVIEST) })).sort((a, b) => a.ms - b.ms)
  const total = weighed.reduce((sum, { weight }) => sum + weight, 0)
  let sum = 0
  const middle = weighed.find(({ weight }) => (sum += weight) * 2 >= total)!
  return { ms: middle.ms, samples: members.reduce((all, { samples }) => all + samples, 0) }
}
