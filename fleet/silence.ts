import { readFileSync } from 'node:fs'

/** How the kernel sees the main thread of a process: R runs or waits for a processor, S sleeps, T is stopped. */
export interface Thread {
  readonly state: string
  /** Processor time it has used, milliseconds. */
  readonly cpuMs: number
}

/** Processor time that a process may use without being heard: more than its event loop ever needs between two heartbeats. */
const BUSY_MS = 200
/** Hertz of the times in /proc, the same on every Linux that Node.js runs on. */
const TICKS_PER_SECOND = 100

/**
 * Whether a process that has not been heard hangs, rather than waiting for a processor on a busy machine: one that wants
 * to run and has been given next to no time since it was first looked at may be alive and well.
 * @param first what it was like when its silence was first noticed
 * @param now what it is like now; undefined where the system does not tell
 */
export function isHanging(first: Thread | undefined, now: Thread | undefined): boolean {
  if (first === undefined || now === undefined || now.state !== 'R') return true
  return now.cpuMs - first.cpuMs >= BUSY_MS
}

/** The main thread of a process, from /proc; undefined where there is none. */
export function mainThread(pid: number): Thread | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'latin1')
    // The name, in parentheses, may hold anything; what counts follows the last one.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const ticks = Number(fields[11]) + Number(fields[12])
    return Number.isFinite(ticks) ? { state: fields[0]!, cpuMs: (ticks * 1000) / TICKS_PER_SECOND } : undefined
  } catch {
    return undefined
  }
}
