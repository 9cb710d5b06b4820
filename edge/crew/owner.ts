/**
 * The worker that has a key, of those that are there: the one whose number gives the highest score with it (rendezvous hashing,
 * Thaler and Ravishankar 1998). One that comes or goes moves only its own keys.
 * @param hash of the key
 */
export function ownerOf(hash: number, workers: number, isThere: (worker: number) => boolean): number {
  let owner = 0
  let highest = -1
  for (let worker = 0; worker < workers; worker++) {
    if (!isThere(worker)) continue
    const score = mix(hash ^ Math.imul(worker + 1, 0x9e3779b1))
    if (score <= highest) continue
    highest = score
    owner = worker
  }
  return owner
}

/** The finish of MurmurHash3. */
function mix(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
