import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

// One process at a time works on the journals of a state folder: a file names it.

const LOCK = '.lock'
/** A process that is ending gets this long. */
const TRIES = 40
const TRY_MS = 50

/**
 * Takes the journals of a state folder for this process, for as long as it lives.
 * @param folder state/journal
 * @throws Error with one line when another process has them
 */
export function lockJournals(folder: string): void {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, LOCK)
  const own = nameOf(process.pid)
  for (let tries = 0; ; tries++) {
    try {
      writeFileSync(path, `${own}\n`, { flag: 'wx', mode: 0o600 })
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = read(path)
    if (holder === own) return
    const pid = Number(holder.split(' ')[0])
    if (!(pid > 0) || nameOf(pid) !== holder) rmSync(path, { force: true })
    else if (tries >= TRIES) throw new Error(`process ${pid} works on the journals in ${folder}`)
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TRY_MS)
  }
}

/** Gives them back. */
export function unlockJournals(folder: string): void {
  const path = join(folder, LOCK)
  if (read(path) === nameOf(process.pid)) rmSync(path, { force: true })
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}

/** Tells a process from any that has its number later; empty when there is none. */
function nameOf(pid: number): string {
  try {
    // When it was started: behind its command, which is in parentheses and may be anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\)/s, '').trim().split(' ')
    return `${pid} ${fields[19]}`
  } catch {
    return isAlive(pid) ? String(pid) : ''
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
