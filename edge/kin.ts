/** Octets of keys and tags that are remembered; what was noted first is forgotten first, which costs a question more and nothing else. */
const MOST_OCTETS = 1024 * 1024
/** Variants of one response that are looked through when one of them is found good still. */
const MOST_VARIANTS = 64

/** Which variants of a response have the same strong tag: what is found good of one is good of the others (RFC 9111 §4.3.4). */
export interface Kin {
  /** A variant with this tag is held now. */
  note(primary: string, key: string, etag: string): void
  /** Other variants that were held with the tag; they may have left, or have another by now. */
  others(primary: string, key: string, etag: string): string[]
}

export function makeKin(mostOctets = MOST_OCTETS): Kin {
  const known = new Map<string, Set<string>>()
  let octets = 0
  const nameOf = (primary: string, etag: string): string => `${etag} ${primary}`
  const shrink = (): void => {
    for (const [name, keys] of known) {
      if (octets <= mostOctets) return
      known.delete(name)
      octets -= name.length
      for (const key of keys) octets -= key.length
    }
  }
  return {
    note: (primary, key, etag) => {
      const name = nameOf(primary, etag)
      const keys = known.get(name) ?? new Set()
      if (keys.has(key) || keys.size >= MOST_VARIANTS || name.length + key.length > mostOctets) return
      octets += key.length + (keys.size === 0 ? name.length : 0)
      known.set(name, keys.add(key))
      shrink()
    },
    others: (primary, key, etag) => [...(known.get(nameOf(primary, etag)) ?? [])].filter((other) => other !== key)
  }
}
