import { PassingMap } from '../../core/passing.ts'
import type { DiskTier } from './disk/disk.ts'
import type { MemoryStore } from './memory.ts'
import { keyOf, unpack } from './record.ts'

/** Brings what is on disk alone back into memory. */
export interface Warm {
  /** Whether something under this key is on disk. */
  has(key: string): boolean
  /** Brings it, once for all who ask at the same time. @param brought told when it is there, or turned out not to be */
  bring(key: string, brought: () => void): void
}

export function makeWarm(store: MemoryStore, disk: DiskTier): Warm {
  const underWay = new PassingMap<string, (() => void)[]>()
  const bring = async (key: string): Promise<void> => {
    const record = await disk.read(key)
    // Two keys might have one id.
    if (record !== undefined && keyOf(record) === key && !store.raise(key, unpack(record))) disk.delete(key)
  }
  return {
    has: (key) => disk.has(key),
    bring: (key, brought) => {
      const waiting = underWay.get(key)
      if (waiting !== undefined) return void waiting.push(brought)
      const all = [brought]
      underWay.set(key, all)
      void bring(key).catch(() => undefined).then(() => {
        underWay.delete(key)
        for (const each of all) each()
      })
    }
  }
}
