import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

/** A lock that this process holds until it lets go or dies. */
export interface Lock {
  release(): void
}

/**
 * Takes a lock file with this process's pid in it. The lock of a process that is gone does not count.
 * @returns the lock, or the pid of who holds it
 */
export function takeLock(file: string, pid: number): Lock | number {
  // Written aside and linked into place, so that nobody ever reads a lock without its pid.
  const aside = `${file}.${pid}`
  writeFileSync(aside, `${pid}\n`, { mode: 0o600 })
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        linkSync(aside, file)
        return { release: () => rmSync(file, { force: true }) }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const holder = holderOf(file)
      if (holder !== undefined && isAlive(holder)) return holder
      rmSync(file, { force: true })
    }
  } finally {
    rmSync(aside, { force: true })
  }
  throw new Error(`${file} cannot be locked`)
}

function holderOf(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8').trim())
    return Number.isInteger(pid) && pid > 0 ? pid : undefined
  } catch {
    return undefined
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
