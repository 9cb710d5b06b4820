import { randomInt } from 'node:crypto'
import { roomForBodies } from '../bodies/index.ts'
import type { Seats } from '../http/index.ts'
import { hashText, LINE_WORDS, type Ledger, type Tally } from '../tiers/index.ts'

/** What the workers of one edge have in common, to be read and written by each without a lock. */
export interface CrewMemory {
  /** Of each worker: its connections, its tunnels, then `ROWS` times `places` counts of the connections of addresses. */
  readonly counts: SharedArrayBuffer
  readonly places: number
  /** Which place an address has in a row, nobody outside can tell. */
  readonly seeds: readonly number[]
  /** How often something under each hash was changed by a request, what was lent before that being void; then how often anything was. */
  readonly changes: SharedArrayBuffer
  /** How parents fare: a line for each name; then, of each worker, what it adds to the tally under each name. */
  readonly ledger: SharedArrayBuffer
  readonly names: readonly string[]
  /** Of each worker: which files its bodies lie in. */
  readonly bodies: readonly SharedArrayBuffer[]
}

/** What one worker makes of it. */
export interface Shares {
  readonly seats: Seats
  readonly bodies: SharedArrayBuffer
  /** Upgraded connections of all workers. */
  readonly tunnels: Tally
  /** How parents fare, as all workers have found. */
  readonly ledger: Ledger
  /** @param hash of a primary key */
  changesOf(hash: number): number
  changed(hash: number): void
  /** What was lent is void, as its owner holds something newer. */
  voided(hash: number): void
}

/** An address counts as the least of its places says: others may share one with it, but hardly all. */
const ROWS = 3
const CHANGES = 2 ** 16
const CLIENTS = 0
const TUNNELS = 1
const OWN = 2

/** @param options `names` under which it is written how parents fare; `files` in which bodies of each worker may lie */
export function makeMemory({ workers, clients, names, files }: { readonly workers: number; readonly clients: number; readonly names: readonly string[]; readonly files: number }): CrewMemory {
  // Memory that nobody writes to takes none.
  const places = 2 ** Math.min(22, Math.ceil(Math.log2(clients * 4)))
  const seeds = Array.from({ length: ROWS }, () => randomInt(2 ** 32))
  return { counts: new SharedArrayBuffer(workers * sizeOf(places)), places, seeds, changes: new SharedArrayBuffer((CHANGES + 1) * 4), ledger: new SharedArrayBuffer(4 * names.length * (LINE_WORDS + workers)), names, bodies: Array.from({ length: workers }, () => roomForBodies(files)) }
}

const sizeOf = (places: number): number => 4 * (OWN + ROWS * places)

/** What a worker that is gone has counted counts no more. */
export function leaveMemory({ counts, places, ledger, names }: CrewMemory, worker: number): void {
  new Int32Array(counts, worker * sizeOf(places), OWN + ROWS * places).fill(0)
  talliesOf({ ledger, names }, worker).fill(0)
}

const talliesOf = ({ ledger, names }: Pick<CrewMemory, 'ledger' | 'names'>, worker: number): Int32Array => new Int32Array(ledger, 4 * names.length * (LINE_WORDS + worker), names.length)

/** How often anything was changed. */
export const changesIn = ({ changes }: CrewMemory): number => Atomics.load(new Uint32Array(changes), CHANGES)

/** @param options the worker, of how many; the most `clients` of all addresses, and `perAddress` of one */
export function joinMemory(memory: CrewMemory, options: { readonly worker: number; readonly workers: number; readonly clients: number; readonly perAddress: number }): Shares {
  const { counts, places, seeds, changes } = memory
  const { worker, workers, clients, perAddress } = options
  const all = Array.from({ length: workers }, (_, each) => new Int32Array(counts, each * sizeOf(places), OWN + ROWS * places))
  const own = all[worker]!
  const marks = new Uint32Array(changes)
  const sum = (at: number): number => all.reduce((total, each) => total + Atomics.load(each, at), 0)
  const placesOf = (address: string): number[] => seeds.map((seed, row) => OWN + row * places + (hashText(address, seed) & (places - 1)))
  const leave = (address: string): void => {
    Atomics.sub(own, CLIENTS, 1)
    for (const at of placesOf(address)) Atomics.sub(own, at, 1)
  }
  return {
    seats: {
      // Counted first and then looked at: two that come at once may both be refused, but never both be taken.
      take(address) {
        Atomics.add(own, CLIENTS, 1)
        const at = placesOf(address)
        for (const place of at) Atomics.add(own, place, 1)
        if (sum(CLIENTS) <= clients && Math.min(...at.map(sum)) <= perAddress) return true
        leave(address)
        return false
      },
      leave
    },
    tunnels: {
      get sum() {
        return sum(TUNNELS)
      },
      count: (change) => void Atomics.add(own, TUNNELS, change)
    },
    bodies: memory.bodies[worker]!,
    ledger: joinLedger(memory, worker, workers),
    changesOf: (hash) => Atomics.load(marks, hash & (CHANGES - 1)),
    voided: (hash) => void Atomics.add(marks, hash & (CHANGES - 1), 1),
    changed: (hash) => {
      Atomics.add(marks, hash & (CHANGES - 1), 1)
      Atomics.add(marks, CHANGES, 1)
    }
  }
}

function joinLedger(memory: CrewMemory, worker: number, workers: number): Ledger {
  const { ledger, names } = memory
  const tallies = Array.from({ length: workers }, (_, each) => talliesOf(memory, each))
  const numberOf = (name: string): number => {
    const number = names.indexOf(name)
    if (number < 0) throw new Error(`nobody said that there would be ${name}`)
    return number
  }
  return {
    line: (name) => new Int32Array(ledger, 4 * LINE_WORDS * numberOf(name), LINE_WORDS),
    tally: (name) => {
      const at = numberOf(name)
      return {
        get sum() {
          return tallies.reduce((sum, each) => sum + Atomics.load(each, at), 0)
        },
        count: (change) => void Atomics.add(tallies[worker]!, at, change)
      }
    }
  }
}
