import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, lchownSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Ports } from '../core/channel.ts'
import { replaceFile } from '../core/replace-file.ts'

/** `fleet.json` of the state folder: how the command line finds the fleet that runs on it. */
export interface FleetFile {
  readonly pid: number
  /** Wall time, milliseconds. */
  readonly startedAt: number
  readonly admin: { readonly address: string; readonly port: number }
  readonly ports: Ports
  /** Absolute paths. */
  readonly zones: string
  readonly config: string
}

/** Makes the folder, for its owner alone. */
export function makeStateFolder(folder: string): void {
  // The folders above it keep the usual mode.
  mkdirSync(dirname(folder), { recursive: true })
  if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 })
  chmodSync(folder, 0o700)
}

/** Gives the folder and everything in it to a user. */
export function giveStateFolder(folder: string, uid: number, gid: number): void {
  lchownSync(folder, uid, gid)
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) giveStateFolder(path, uid, gid)
    else lchownSync(path, uid, gid)
  }
}

/** The secret of 64 hexadecimal digits in a file that only its owner reads; made when it is missing or damaged. */
export function secretIn(folder: string, name: string): string {
  const path = join(folder, name)
  try {
    const text = readFileSync(path, 'utf8').trim()
    if (/^[0-9a-f]{64}$/.test(text)) {
      chmodSync(path, 0o600)
      return text
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const secret = randomBytes(32).toString('hex')
  replaceFile(path, `${secret}\n`)
  return secret
}

export function writeFleetFile(folder: string, file: FleetFile): void {
  replaceFile(join(folder, 'fleet.json'), `${JSON.stringify(file, undefined, 2)}\n`)
}

export function removeFleetFile(folder: string): void {
  rmSync(join(folder, 'fleet.json'), { force: true })
}

/** What the folder says of its fleet, which may have ended since; undefined when there is nothing to read. */
export function readFleetFile(folder: string): FleetFile | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'fleet.json'), 'utf8')) as FleetFile
  } catch {
    return undefined
  }
}
