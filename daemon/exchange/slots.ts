/** Who may do something that takes long: so many at once, of one client and in all; a few more wait their turn. */
export interface Slots {
  /** Resolves with what gives the slot back, or undefined: there are too many. */
  take(client: string): Promise<(() => void) | undefined>
}

export interface SlotLimits {
  readonly atOnce: number
  readonly atOnceOfClient: number
  readonly waiting: number
  readonly waitingOfClient: number
}

interface Waiting {
  readonly client: string
  readonly go: (release: () => void) => void
}

export function makeSlots({ atOnce, atOnceOfClient, waiting: most, waitingOfClient }: SlotLimits): Slots {
  const held = new Map<string, number>()
  const waiting: Waiting[] = []
  let taken = 0
  const mayGo = (client: string): boolean => taken < atOnce && (held.get(client) ?? 0) < atOnceOfClient
  const enter = (client: string): (() => void) => {
    taken++
    held.set(client, (held.get(client) ?? 0) + 1)
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      taken--
      const left = held.get(client)! - 1
      if (left === 0) held.delete(client)
      else held.set(client, left)
      const next = waiting.findIndex((each) => mayGo(each.client))
      if (next >= 0) {
        const [one] = waiting.splice(next, 1)
        one!.go(enter(one!.client))
      }
    }
  }
  return {
    take: (client) => {
      if (mayGo(client)) return Promise.resolve(enter(client))
      if (waiting.length >= most || waiting.filter((each) => each.client === client).length >= waitingOfClient) return Promise.resolve(undefined)
      return new Promise((go) => waiting.push({ client, go }))
    }
  }
}
