import { mkdirSync } from 'node:fs'
import { end, start } from '../processes.ts'
import { PARENT_PORTS, type Place, type Running } from './types.ts'

/** Starts a program that stays in the foreground. */
export function run(program: string, words: readonly string[]): Running {
  const { child, said } = start(program, words)
  return { pids: [child.pid!], said, end: () => end(child) }
}

/** Two of a server, the first of which takes the second for its origin. */
export async function startChain(startOne: (place: Place) => Promise<Running>, place: Place): Promise<Running> {
  mkdirSync(place.folder)
  const port = place.port + PARENT_PORTS
  const above = await startOne({ ...place, folder: `${place.folder}/above`, port })
  const below = await startOne({ ...place, folder: `${place.folder}/below`, origin: port })
  return {
    pids: [...below.pids, ...above.pids],
    said: () => below.said() + above.said(),
    end: async () => {
      await below.end()
      await above.end()
    }
  }
}
