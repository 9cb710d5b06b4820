/** Whether a name is meant by a pattern, in which `*` stands for any letters and `?` for one; all else stands for itself. */
export function matchesGlob(pattern: string, name: string): boolean {
  let at = 0
  let next = 0
  /** The last `*`, and up to where it has taken letters: only that one is ever widened, so that many of them cost no more. */
  let star = -1
  let taken = 0
  while (next < name.length) {
    if (pattern[at] === '*') {
      star = at++
      taken = next
    } else if (pattern[at] === '?' || pattern[at] === name[next]) {
      at++
      next++
    } else if (star < 0) return false
    else {
      at = star + 1
      next = ++taken
    }
  }
  while (pattern[at] === '*') at++
  return at === pattern.length
}

export const isGlob = (text: string): boolean => /[*?]/.test(text)
