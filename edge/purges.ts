import { MOST_PURGES, type Purge } from '../core/purge.ts'
import { ageAt, type StoredObject } from './cache/index.ts'
import { listMembers } from './message/index.ts'
import type { Worker } from './worker.ts'

/** The purges that objects are held against when they are next asked for: each costs the same, however many objects there are. */
export interface Purges {
  /** The number of the last: what was asked for under it is subject to none of them. */
  readonly last: number
  add(purge: Purge): void
  /** The strongest of those above a number that an object is subject to. @param tags as its Cache-Tag said */
  find(primary: string, tags: string, above: number): Purge | undefined
  /** The latest of each, for whoever begins now. */
  all(): readonly Purge[]
}

/** @param heldAs what a URL's responses are held under, where policies leave out or sort parts of the query */
export function makePurges(known: readonly Purge[], heldAs: (what: string) => readonly string[] = () => []): Purges {
  /** By kind, softness and what they name: the latest. */
  const latest = new Map<string, Purge>()
  const lengths = new Set<number>()
  let last = 0
  const nameOf = ({ kind, soft, what }: Pick<Purge, 'kind' | 'soft' | 'what'>): string => `${kind} ${soft ? 'soft' : 'hard'} ${what}`
  const add = (purge: Purge): void => {
    note(purge)
    if (purge.kind === 'url') for (const what of heldAs(purge.what)) if (what !== purge.what) note({ ...purge, what })
  }
  const note = (purge: Purge): void => {
    const name = nameOf(purge)
    latest.delete(name)
    latest.set(name, purge)
    if (purge.kind === 'prefix') lengths.add(purge.what.length)
    last = Math.max(last, purge.number)
    if (latest.size > MOST_PURGES) letGo()
  }
  /** The older half of too many is forgotten: what was asked for before them counts as purged. */
  const letGo = (): void => {
    const oldest = [...latest].slice(0, MOST_PURGES / 2)
    for (const [name] of oldest) latest.delete(name)
    // One that stands for others may be older than what was noted before it.
    const { number, at } = oldest.map(([, purge]) => purge).reduce((one, other) => (other.number > one.number ? other : one))
    add({ kind: 'all', what: '', soft: false, number, at })
    lengths.clear()
    for (const { kind, what } of latest.values()) if (kind === 'prefix') lengths.add(what.length)
  }
  for (const purge of known) add(purge)
  const candidates = function* (primary: string, tags: string): Generator<Pick<Purge, 'kind' | 'what'>> {
    const what = purgedAs(primary)
    yield { kind: 'all', what: '' }
    yield { kind: 'url', what }
    for (const length of lengths) if (length <= what.length) yield { kind: 'prefix', what: what.slice(0, length) }
    for (const tag of tagsOf(tags)) yield { kind: 'tag', what: tag }
  }
  return {
    get last() {
      return last
    },
    add,
    all: () => [...latest.values()],
    find: (primary, tags, above) => {
      let found: Purge | undefined
      for (const { kind, what } of candidates(primary, tags)) {
        for (const soft of [false, true]) {
          const purge = latest.get(nameOf({ kind, soft, what }))
          if (purge === undefined || purge.number <= above) continue
          if (!purge.soft) return purge
          found ??= purge
        }
      }
      return found
    }
  }
}

/** The tags of a Cache-Tag field: separated by commas, white space around them left out. */
export const tagsOf = (field: string): string[] => (field === '' ? [] : listMembers(field))

/** DISTRIBUTION TARGET of a key: its first line, less the host, so that all names of a distribution are purged together. */
export function purgedAs(key: string): string {
  const end = key.indexOf('\n')
  const primary = end < 0 ? key : key.slice(0, end)
  const host = primary.indexOf(' ')
  return primary.slice(0, host) + primary.slice(primary.indexOf(' ', host + 1))
}

/**
 * Holds an object against the purges that came since it was asked for, and drops it, or makes it stale, where one says so.
 * @returns whether what is held under its key is another now
 */
export function settlePurges(worker: Pick<Worker, 'purges' | 'store'>, key: string, object: StoredObject): boolean {
  const { purges, store } = worker
  const purge = purges.find(key, object.tags, object.generation)
  object.generation = purges.last
  if (purge === undefined) return false
  const lifetime = Math.min(object.lifetime, Math.max(0, ageAt(object, purge.at)))
  if (!purge.soft) store.delete(key)
  else store.put(key, { ...object, lifetime, frame: '', frameAge: -1 })
  return true
}

/** From now on nothing is answered that a purge says must not be, nor is it held when a fetch under way brings it. */
export function purge(worker: Worker, purge: Purge): void {
  worker.purges.add(purge)
  for (const flight of worker.flying) {
    const { primary, tags } = flight
    // Whether it has the tag is not known yet: nobody else shall have it, and what is held of it is settled when it is asked for.
    if (tags === undefined && purge.kind === 'tag') flight.seclude()
    else if (worker.purges.find(primary, tags ?? '', purge.number - 1) !== undefined) flight.outdate()
  }
}
