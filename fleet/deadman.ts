import { spawn, type ChildProcess } from 'node:child_process'
import type { Logger } from '../core/log.ts'

export interface DeadmanOptions {
  /** Program and arguments. */
  readonly command: readonly string[]
  readonly log: Logger
}

/** The process that ends announcements when the daemon is dead or hangs. It outlives a supervisor that is killed. */
export interface Deadman {
  /** Once the daemon has ended: has it withdraw what is announced, and ends it. */
  stop(): Promise<void>
}

const AGAIN_AFTER_MS = 1000
/** What a withdrawal may take at most. */
const STOP_WITHIN_MS = 3000

/** Starts it, and starts it again whenever it ends unasked. */
export function startDeadman({ command, log }: DeadmanOptions): Deadman {
  const [program, ...words] = command as [string, ...string[]]
  let child: ChildProcess | undefined
  let timer: NodeJS.Timeout | undefined
  let isStopping = false
  const start = (): void => {
    // A group of its own: what the terminal sends is for the supervisor, which says when.
    const started = spawn(program, words, { detached: true, stdio: ['ignore', 'inherit', 'inherit'] })
    child = started
    started.on('error', (error) => log.error(`the dead-man cannot be started: ${error.message}`))
    started.on('exit', (code, signal) => {
      if (child === started) child = undefined
      if (isStopping) return
      log.warn(`the dead-man has ended (${signal ?? code}), and is started again`)
      timer = setTimeout(start, AGAIN_AFTER_MS)
    })
  }
  start()
  return {
    stop: () =>
      new Promise((resolve) => {
        isStopping = true
        clearTimeout(timer)
        const last = child
        if (last === undefined) return resolve()
        const kill = setTimeout(() => last.kill('SIGKILL'), STOP_WITHIN_MS)
        last.once('exit', () => {
          clearTimeout(kill)
          resolve()
        })
        last.kill('SIGTERM')
      })
  }
}
