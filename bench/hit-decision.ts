import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { track } from './processes.ts'

/** How long an edge takes from the octets of a request to the octets of its answer, in microseconds. */
export interface Decisions {
  readonly objects: number
  readonly requests: number
  readonly median: number
  readonly p99: number
  readonly p999: number
  readonly most: number
}

/** Takes hits in a process of their own. */
export async function measureDecisions(): Promise<Decisions> {
  const child = track(fork(fileURLToPath(new URL('hit-process.js', import.meta.url))))
  return new Promise((resolve, reject) => {
    child.once('message', (told: Decisions) => resolve(told))
    child.once('exit', (code) => reject(new Error(`the process that takes hits ended with ${code}`)))
  })
}
