import { formatAddress, parseAddress } from '../../core/address.ts'
import { needsOf, type AnycastPrefix } from '../../core/config-anycast.ts'
import type { Finding } from './types.ts'

// What is found out here of each prefix, from questions to the own listeners and from how the own edges are; pure but for its counts.

/** How one edge of this PoP is. */
export interface OwnEdge {
  readonly name: string
  readonly addresses: readonly string[]
  /** Undefined: not known yet. */
  readonly isUp: boolean | undefined
  readonly requestsPerSecond: number
  readonly capacity: number
}

/** What a listener said when it was asked: undefined when it answered truly. */
export interface Asked {
  readonly address: string
  readonly transport: 'udp' | 'tcp'
  readonly why: string | undefined
}

/** Passes and failures in a row, and what they came to. */
interface Streak {
  passes: number
  fails: number
  isUp: boolean | undefined
  why: string
}

/** Counts what listeners say, so that one lost packet is no failure. */
export class Streaks {
  readonly #fall: number
  readonly #rise: number
  readonly #streaks = new Map<string, Streak>()

  constructor({ fall, rise }: { readonly fall: number; readonly rise: number }) {
    this.#fall = fall
    this.#rise = rise
  }

  take(all: readonly Asked[]): void {
    for (const { address, transport, why } of all) {
      const key = `${address}/${transport}`
      const streak = this.#streaks.get(key) ?? { passes: 0, fails: 0, isUp: undefined, why: '' }
      this.#streaks.set(key, streak)
      if (why === undefined) Object.assign(streak, { passes: streak.passes + 1, fails: 0 })
      else Object.assign(streak, { fails: streak.fails + 1, passes: 0, why })
      // At first one that passes will do.
      if (streak.passes >= this.#rise || (streak.isUp === undefined && streak.passes > 0)) streak.isUp = true
      if (streak.fails >= this.#fall) streak.isUp = false
    }
  }

  /** Of the listeners on these addresses: why DNS is not answered truly there; undefined while that is not known. */
  trouble(addresses: readonly string[]): readonly string[] | undefined {
    const found: string[] = []
    let isKnown = true
    for (const address of addresses) {
      for (const transport of ['udp', 'tcp'] as const) {
        const streak = this.#streaks.get(`${address}/${transport}`)
        if (streak?.isUp === false) found.push(`DNS on ${address} over ${transport.toUpperCase()}: ${streak.why || 'not answering'}`)
        isKnown &&= streak?.isUp !== undefined
      }
    }
    return found.length > 0 || isKnown ? found : undefined
  }
}

const GRADE = { withdraw: 'bad', demote: 'poor' } as const
const WORSE: Readonly<Record<Finding['grade'], number>> = { good: 0, unknown: 1, poor: 2, bad: 3 }

/** Grades one prefix. @param hasSettled the first round of checks of edges is over */
export function findOut(row: AnycastPrefix, streaks: Pick<Streaks, 'trouble'>, edges: readonly OwnEdge[], hasSettled: boolean): Finding {
  const needs = needsOf(row, edges.length)
  const listening = edges.filter(({ addresses }) => addresses.some((each) => row.addresses.includes(formatAddress(parseAddress(each)!.bytes))))
  const own = listening.length > 0 ? listening : edges
  const why: string[] = []
  let grade: Finding['grade'] = 'good'
  const lower = (to: Finding['grade'], reasons: readonly string[]): void => {
    why.push(...reasons)
    if (WORSE[to] > WORSE[grade]) grade = to
  }
  if (needs.dns !== 'ignore') {
    const trouble = streaks.trouble(row.addresses)
    if (trouble === undefined) lower('unknown', ['the DNS listeners have not been asked yet'])
    else if (trouble.length > 0) lower(GRADE[needs.dns], trouble)
  }
  if (needs.fewEdges !== 'ignore' && needs.edges > 0) {
    const up = own.filter(({ isUp }) => isUp === true)
    const unknown = own.filter(({ isUp }) => isUp === undefined).length
    if (up.length < needs.edges) {
      if (!hasSettled && up.length + unknown >= needs.edges) lower('unknown', ['its edges have not been checked yet'])
      else lower(GRADE[needs.fewEdges], [`${up.length} of ${own.length} ${own.length === 1 ? 'edge' : 'edges'} up, ${needs.edges} needed`])
    }
  }
  if (needs.lowCapacity !== 'ignore' && needs.capacity > 0) {
    const up = own.filter(({ isUp }) => isUp === true)
    const most = up.reduce((sum, { capacity }) => sum + capacity, 0)
    const free = most === 0 ? 0 : Math.max(0, 1 - up.reduce((sum, each) => sum + each.requestsPerSecond, 0) / most) * 100
    if (up.length > 0 && free < needs.capacity) lower(GRADE[needs.lowCapacity], [`${Math.round(free)} % of the capacity of its edges is free, ${needs.capacity} % needed`])
  }
  return { grade, why }
}
