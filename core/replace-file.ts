import { renameSync, rmSync, writeFileSync } from 'node:fs'

/** Writes a file for its owner alone; readers see the old contents or the new ones, never half of them. */
export function replaceFile(path: string, contents: string | Buffer): void {
  const fresh = `${path}.${process.pid}.new`
  rmSync(fresh, { force: true })
  writeFileSync(fresh, contents, { mode: 0o600, flag: 'wx' })
  renameSync(fresh, path)
}
