/** Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours each count 1. */
export function editDistance(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const line = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      let cost = Math.min(above[column]! + 1, line[column - 1]! + 1, above[column - 1]! + (same ? 0 : 1))
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) cost = Math.min(cost, before[column - 2]! + 1)
      line.push(cost)
    }
    before = above
    above = line
  }
  return above[b.length]!
}

/** The known word that was probably meant by `word`: the only one that it begins, else the nearest, else the only one of whose words with hyphens it is one; undefined when none is near. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  const typed = word.toLowerCase()
  const all = [...known]
  const begun = all.filter((candidate) => candidate.toLowerCase().startsWith(typed))
  if (typed.length > 2 && begun.length === 1) return begun[0]
  let best: string | undefined
  let bound = Math.max(1, Math.floor(typed.length / 3)) + 1
  for (const candidate of all) {
    const distance = editDistance(typed, candidate.toLowerCase())
    if (distance < bound) {
      bound = distance
      best = candidate
    }
  }
  const parts = all.filter((candidate) => candidate.toLowerCase().split('-').includes(typed))
  return best ?? (typed.length > 2 && parts.length === 1 ? parts[0] : undefined)
}

/** `did you mean X?`, or the list of what is known when nothing is near and the list is short. */
export function suggestion(word: string, known: Iterable<string>): string | undefined {
  const all = [...known]
  const near = nearest(word, all)
  if (near !== undefined) return `did you mean ${near}?`
  return all.length > 0 && all.length <= 16 ? `known: ${all.join(', ')}` : undefined
}
