/** The places there are for connections: of one worker, or of several that share them. */
export interface Seats {
  /** Whether there was one for this address; it is taken now. */
  take(address: string): boolean
  leave(address: string): void
}

/** @param clients connections of all addresses, and `perAddress` of one */
export function makeSeats({ clients, perAddress }: { readonly clients: number; readonly perAddress: number }): Seats {
  const held = new Map<string, number>()
  let all = 0
  return {
    take(address) {
      const own = held.get(address) ?? 0
      if (own >= perAddress || all >= clients) return false
      held.set(address, own + 1)
      all++
      return true
    },
    leave(address) {
      const left = held.get(address)! - 1
      all--
      if (left === 0) held.delete(address)
      else held.set(address, left)
    }
  }
}
