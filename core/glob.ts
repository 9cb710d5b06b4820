/** Whether a name is meant by a pattern, in which `*` stands for any letters and `?` for one; all else stands for itself. */
export function matchesGlob(pattern: string, name: string): boolean {
  const source = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*+/g, '.*').replaceAll('?', '.')
  return new RegExp(`^${source}$`, 's').test(name)
}

export const isGlob = (text: string): boolean => /[*?]/.test(text)
