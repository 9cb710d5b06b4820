import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../core/clock.ts'

// One process at a time works on the journals of a state folder: a file names it.

const LOCK = '.lock'
/** A process that is ending gets this long. */
const TRIES = 40
const TRY_MS = 50
/** Clearing takes microseconds. */
const GUARD_MS = 5000

/**
 * Takes the journals of a state folder for this process, for as long as it lives.
 * @param folder state/journal
 * @throws Error with one line when another process has them
 */
export function lockJournals(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, LOCK)
  const own = nameOf(process.pid)
  // Whole as soon as it is there: a lock that says nothing would be taken for one that somebody left behind.
  const fresh = `${path}.${process.pid}`
  writeFileSync(fresh, `${own}\n`, { mode: 0o600 })
  try {
    for (let tries = 0; ; tries++) {
      if (isLinked(fresh, path)) return
      const holder = read(path)
      if (holder === own) return
      const pid = Number(holder.split(' ')[0])
      if (!(pid > 0) || nameOf(pid) !== holder) clear(path, holder)
      else if (tries >= TRIES) throw new Error(`process ${pid} works on the journals in ${folder}`)
      if (tries > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TRY_MS)
    }
  } finally {
    rmSync(fresh, { force: true })
  }
}

function isLinked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return false
  }
}

/** Takes away a lock whose holder is no more: one process at a time does, and looks again, so that no newer lock goes with it. */
function clear(path: string, holder: string): void {
  const guard = `${path}.clearing`
  try {
    mkdirSync(guard)
  } catch {
    // Another one does, or ended while it did.
    if (systemClock.now() - (statSync(guard, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) > GUARD_MS) rmSync(guard, { recursive: true, force: true })
    return
  }
  try {
    if (read(path) === holder) rmSync(path, { force: true })
  } finally {
    rmSync(guard, { recursive: true, force: true })
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
