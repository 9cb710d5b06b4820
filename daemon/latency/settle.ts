/** Of one row, what is said of each target; undefined: nothing. */
export type Figures = readonly ({ readonly ms: number; readonly samples: number } | undefined)[]

/** A figure stays as it is until it has moved by more than both of these: near-equal edges do not take turns. */
const SHARE = 0.1
const LEAST_MS = 1

/** The figures to go by, most of them as they were; undefined when all are. */
export function settle(before: ReadonlyMap<string, Figures>, now: ReadonlyMap<string, Figures>): ReadonlyMap<string, Figures> | undefined {
  let isSame = before.size === now.size
  const settled = new Map<string, Figures>()
  for (const [row, figures] of now) {
    const old = before.get(row)
    const kept = figures.map((figure, target) => {
      const held = old?.[target]
      if (held !== undefined && figure !== undefined && Math.abs(figure.ms - held.ms) <= Math.max(LEAST_MS, held.ms * SHARE)) return held
      if (held !== undefined || figure !== undefined) isSame = false
      return figure
    })
    if (old === undefined) isSame = false
    settled.set(row, kept)
  }
  return isSame ? undefined : settled
}
