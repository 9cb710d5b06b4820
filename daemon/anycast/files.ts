import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

// Small files that are always whole: written beside, then renamed.

/**
 * @param isLasting also after the machine has lost its power: synced, with its folder
 * @param mode of a new file
 */
export async function replaceFile(file: string, text: string, { isLasting, mode }: { readonly isLasting: boolean; readonly mode: number }): Promise<void> {
  const beside = `${file}.${process.pid}.new`
  await mkdir(dirname(file), { recursive: true })
  const handle = await open(beside, 'w', mode)
  try {
    try {
      await handle.writeFile(text)
      if (isLasting) await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(beside, file)
  } catch (error) {
    // On a disk that is full, what was begun would take up what is left.
    await rm(beside, { force: true }).catch(() => undefined)
    throw error
  }
  if (!isLasting) return
  const folder = await open(dirname(file), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Undefined when there is no such file. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
