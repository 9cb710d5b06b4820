/** What has been found out about viewers: policy, place, network and source -> class. A hash table of a bounded size, empty again when it is full. */
export interface ViewerTable {
  /** -1: not known. */
  find(policy: number, place: number, network: number, source: number): number
  put(policy: number, place: number, network: number, source: number, viewerClass: number): void
}

const FEWEST = 1024
/** Words of a slot: policy + 1, place, network, source, class. */
const SLOT = 5

/** @param most viewers that are remembered at once, a power of two; each takes up to 40 octets */
export function makeViewerTable(most: number): ViewerTable {
  let size = Math.min(FEWEST, most * 2)
  let slots = new Int32Array(size * SLOT)
  let used = 0

  /** Where a viewer stands, or the free slot where it would. */
  const slotOf = (policy: number, place: number, network: number, source: number): number => {
    let hash = Math.imul(policy + 1, 0x9e3779b1) ^ Math.imul(place, 0x85ebca6b) ^ Math.imul(network, 0xc2b2ae35) ^ Math.imul(source, 0x27d4eb2f)
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
    let at = ((hash ^ (hash >>> 13)) & (size - 1)) * SLOT
    while (slots[at] !== 0 && (slots[at] !== policy + 1 || slots[at + 1] !== place || slots[at + 2] !== network || slots[at + 3] !== source)) {
      at = at + SLOT === slots.length ? 0 : at + SLOT
    }
    return at
  }

  const put: ViewerTable['put'] = (policy, place, network, source, viewerClass) => {
    const at = slotOf(policy, place, network, source)
    if (slots[at] === 0) used++
    slots[at] = policy + 1
    slots[at + 1] = place
    slots[at + 2] = network
    slots[at + 3] = source
    slots[at + 4] = viewerClass
    if (used * 2 > size) makeRoom()
  }

  const makeRoom = (): void => {
    const before = slots
    const isFull = size >= most * 2
    if (!isFull) size *= 2
    slots = new Int32Array(size * SLOT)
    used = 0
    if (isFull) return
    for (let at = 0; at < before.length; at += SLOT) if (before[at] !== 0) put(before[at]! - 1, before[at + 1]!, before[at + 2]!, before[at + 3]!, before[at + 4]!)
  }

  return {
    find(policy, place, network, source) {
      const at = slotOf(policy, place, network, source)
      return slots[at] === 0 ? -1 : slots[at + 4]!
    },
    put
  }
}
