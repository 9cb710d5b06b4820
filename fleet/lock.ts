import { closeSync, ftruncateSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Native } from '../core/native.ts'

/** Held as long as the process lives; the kernel lets go of it however the process ends. */
export interface Lock {
  release(): void
}

const LOCK_EX = 2
const LOCK_NB = 4

/**
 * Takes the state folder for this process alone.
 * @param library without one a file with the holder's pid stands for the kernel's lock
 * @returns the lock, or the holder's pid (0 when it is not known)
 */
export function takeLock(folder: string, library: Native | undefined): Lock | number {
  const path = join(folder, 'lock')
  const flock = library?.call('int flock(int, int)')
  return flock === undefined ? takePidFile(`${path}.pid`) : takeFlock(path, flock)
}

function takeFlock(path: string, flock: (...values: unknown[]) => number): Lock | number {
  // Opened close-on-exec by Node: children do not inherit the lock.
  const file = openSync(path, 'a+', 0o600)
  if (flock(file, LOCK_EX | LOCK_NB) !== 0) {
    closeSync(file)
    return pidIn(path)
  }
  ftruncateSync(file)
  writeSync(file, `${process.pid}\n`)
  return { release: () => closeSync(file) }
}

/** Where flock cannot be called: the pid of the holder in a file, which counts only while that process lives. */
function takePidFile(path: string): Lock | number {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const file = openSync(path, 'wx', 0o600)
      writeSync(file, `${process.pid}\n`)
      closeSync(file)
      return { release: () => unlinkSync(path) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const holder = pidIn(path)
      if (holder !== process.pid && isAlive(holder)) return holder
      unlinkSync(path)
    }
  }
  return 0
}

function pidIn(path: string): number {
  try {
    const pid = Number(readFileSync(path, 'utf8').trim())
    return Number.isSafeInteger(pid) && pid > 0 ? pid : 0
  } catch {
    return 0
  }
}

/** Whether a process of this number runs; it may belong to somebody else. */
export function isAlive(pid: number): boolean {
  if (pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
