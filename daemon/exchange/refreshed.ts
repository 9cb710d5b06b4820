import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { After } from '../../core/clock.ts'
import { messageOf } from '../../core/trouble.ts'

/** When secondary zones were last refreshed, kept over a restart: what has been held for too long is not served again. */
export interface Refreshed {
  /** By zone; milliseconds since the epoch. */
  readonly times: ReadonlyMap<string, number>
  keep(zone: string, at: number): void
}

/** What happened in so many milliseconds is written at once. */
const WRITE_AFTER = 1000

/** Opens state/refreshed.json; without a state folder nothing is kept. */
export function openRefreshed(stateFolder: string | undefined, after: After, trouble: (reason: string) => void): Refreshed {
  const file = stateFolder === undefined ? undefined : join(stateFolder, 'refreshed.json')
  const times = new Map(file === undefined ? [] : read(file))
  let isWaiting = false
  const write = (): void => {
    isWaiting = false
    try {
      mkdirSync(dirname(file!), { recursive: true })
      writeFileSync(`${file}.new`, JSON.stringify(Object.fromEntries(times)), { mode: 0o600 })
      renameSync(`${file}.new`, file!)
    } catch (error) {
      trouble(`when zones were refreshed could not be kept for the next start: ${messageOf(error)}`)
    }
  }
  return {
    times,
    keep: (zone, at) => {
      times.set(zone, at)
      if (file === undefined || isWaiting) return
      isWaiting = true
      after(WRITE_AFTER, write)
    }
  }
}

/** A file that is not there, or is none of ours, says nothing. */
function read(file: string): [string, number][] {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return typeof value === 'object' && value !== null ? Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === 'number') : []
  } catch {
    return []
  }
}
