import { keyOf, sameSet, setOf, type RRset, type ZoneView } from './rrset.ts'

/** An RRset that differs from what a zone has: `was` there, `now` in the draft; absent where there is none. */
export interface Touched {
  readonly owner: Uint8Array
  readonly type: number
  readonly was?: RRset
  readonly now?: RRset
}

/** A zone with some RRsets put in place of its own. The zone below stays as it is. */
export interface Draft extends ZoneView {
  put(set: RRset): void
  drop(owner: Uint8Array, type: number): void
}

interface Name {
  readonly before: readonly RRset[]
  sets: readonly RRset[]
}

const drafts = new WeakMap<Draft, ReadonlyMap<string, Name>>()

/** Opens a draft over a zone, or over another draft. */
export function makeDraft(base: ZoneView): Draft {
  const names = new Map<string, Name>()
  const open = (owner: Uint8Array): Name => {
    const key = keyOf(owner)
    let name = names.get(key)
    if (name === undefined) {
      const before = base.setsOf(owner)
      names.set(key, (name = { before, sets: before }))
    }
    return name
  }
  const draft: Draft = {
    origin: base.origin,
    setsOf: (owner) => open(owner).sets,
    put: (set) => {
      const name = open(set.owner)
      const at = name.sets.findIndex(({ type }) => type === set.type)
      name.sets = at < 0 ? [...name.sets, set] : name.sets.with(at, set)
    },
    drop: (owner, type) => {
      const name = open(owner)
      name.sets = name.sets.filter((set) => set.type !== type)
    }
  }
  drafts.set(draft, names)
  return draft
}

/** The RRsets of a draft that are not as in the zone below it. */
export function differences(draft: Draft): Touched[] {
  const touched: Touched[] = []
  for (const { before, sets } of drafts.get(draft)!.values()) {
    if (before === sets) continue
    for (const type of new Set([...before, ...sets].map((set) => set.type))) {
      const [was, now] = [setOf(before, type), setOf(sets, type)]
      if (!sameSet(was, now)) touched.push({ owner: (was ?? now)!.owner, type, ...(was !== undefined && { was }), ...(now !== undefined && { now }) })
    }
  }
  return touched
}
