import { nearest } from '../../core/suggest.ts'
import type { Arm, Branch } from './tree.ts'

/** Where a path is meant: at the value that stands there, at its key, or beside the verb rather than under it. */
export type Spot = 'value' | 'key' | 'option'

/** What a verb is given to read its part of policies.yaml. Paths are from where the verb's value stands. */
export interface Reading {
  /** For messages: the verb's name. */
  readonly verb: string
  fault(path: readonly PropertyKey[], reason: string, hint?: string, spot?: Spot): void
  warn(path: readonly PropertyKey[], reason: string, hint?: string, spot?: Spot): void
  /** Reads a branch: a name, an address, or a node. Undefined when it has told a fault. */
  branch(value: unknown, path: readonly PropertyKey[], spot?: Spot): Branch | undefined
  /**
   * Reads the key of a branch by network: a prefix, the name of a collection, and if it may be that an autonomous system.
   * @param at the key as it stands under the verb
   * @returns the key that it has among arms; undefined when it has told a fault
   */
  network(written: string, at: string, mayBeAs: boolean): string | undefined
}

/** A list of branches, or one alone: what simple, failover and latency hold. */
export function readArms(value: unknown, reading: Reading): Arm[] | undefined {
  const single = !Array.isArray(value)
  const list: readonly unknown[] = single ? [value] : value
  if (value === null || value === undefined || list.length === 0) {
    reading.fault([], `${reading.verb} holds no branch`, 'give it edges, addresses or policies: [icn, nrt]')
    return undefined
  }
  const arms: Arm[] = []
  const seen = new Set<string>()
  for (const [index, item] of list.entries()) {
    const path = single ? [] : [index]
    const to = reading.branch(item, path)
    if (to === undefined) continue
    const key = keyOf(item, index)
    if (typeof item === 'string' && seen.has(item)) reading.warn(path, `${item} stands in this ${reading.verb} twice; only the first counts`)
    else arms.push({ key, to, ...(!single && { at: index }) })
    if (typeof item === 'string') seen.add(item)
  }
  return arms.length === 0 ? undefined : arms
}

/** What a branch of a list is called: by its name, and a node by its place. */
export function keyOf(item: unknown, index: number): string {
  const written = isRecord(item) ? (item['cname'] ?? item['address']) : item
  return typeof written === 'string' ? written : `${index + 1}`
}

/** Whether there is a default among branches, and be it mistyped, which is told where it stands. */
export const hasDefault = (branches: Readonly<Record<string, unknown>>): boolean => Object.keys(branches).some((key) => nearest(key, ['default']) !== undefined)

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
