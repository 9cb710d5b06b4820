import type { Logger } from '../core/log.ts'

/** So many faults within so long, and it is no single request any more: the process ends, and is started anew. */
const MOST = 100
const WITHIN_MS = 10_000

/**
 * What nobody caught is a fault of ours, of one request, answer or object: it is said, and the others are served on. Callbacks have their own
 * guards, which end what the fault was about; this is for what they miss.
 * @param now milliseconds
 */
export function catchFaults(log: Logger, now: () => number, end: () => void): void {
  let [count, since] = [0, -Infinity]
  process.on('uncaughtException', (error) => {
    if (now() - since > WITHIN_MS) [count, since] = [0, now()]
    count++
    if (count <= 3) log.error({ err: error }, 'a fault of ours; what it was about is given up, the others are served on')
    if (count >= MOST) {
      log.error(`${MOST} faults within ${WITHIN_MS / 1000} s: this process ends, to be started anew`)
      end()
    }
  })
}
