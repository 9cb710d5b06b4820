import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Role } from '../core/channel.ts'

/** Where a member has what it holds on disk, below the state folder: each worker a folder, the first that which a single one has. */
export const diskFolder = (stateFolder: string, role: Role, name: string, worker = 0): string => join(stateFolder, 'cache', `${role}-${name}${worker === 0 ? '' : `.${worker + 1}`}`)

/** Removes what workers of an edge left behind that it has no more: should it have them again, nobody has told them what changed meanwhile. */
export function removeOldFolders(stateFolder: string, name: string, workers: number): void {
  const folder = join(stateFolder, 'cache')
  for (const entry of list(folder)) {
    const [, edge, worker] = /^edge-(.+)\.(\d+)$/.exec(entry) ?? []
    if (edge === name && Number(worker) > workers) rmSync(join(folder, entry), { recursive: true, force: true })
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    // Nothing was ever held on disk.
    return []
  }
}
