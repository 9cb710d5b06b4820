/** Remembers the hashes of what left last: as many as it is told to look back, in buckets of four. */
export interface Ghosts {
  add(hash: number): void
  /** Whether it was among the last `within` to leave; it is forgotten then. */
  take(hash: number, within: number): boolean
}

export const GHOST_OCTETS = 8
const WAYS = 4

export function makeGhosts(count: number): Ghosts {
  const buckets = Math.max(1, Math.floor(count / WAYS))
  const hashes = new Uint32Array(buckets * WAYS)
  /** When it left, counted in those that leave; 0: empty. */
  const times = new Uint32Array(buckets * WAYS)
  let now = 0
  const bucketOf = (hash: number): number => Math.floor(((Math.imul(hash, 0x9e3779b1) >>> 0) / 2 ** 32) * buckets) * WAYS
  return {
    add: (hash) => {
      now = now === 0xffffffff ? 1 : now + 1
      const first = bucketOf(hash)
      let oldest = first
      for (let at = first + 1; at < first + WAYS; at++) if (times[at]! < times[oldest]!) oldest = at
      hashes[oldest] = hash
      times[oldest] = now
    },
    take: (hash, within) => {
      const first = bucketOf(hash)
      for (let at = first; at < first + WAYS; at++) {
        if (times[at] === 0 || hashes[at] !== hash) continue
        const isRecent = now - times[at]! < within
        times[at] = 0
        return isRecent
      }
      return false
    }
  }
}
