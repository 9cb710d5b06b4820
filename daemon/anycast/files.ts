import { mkdir, open, readFile, rename } from 'node:fs/promises'
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
    await handle.writeFile(text)
    if (isLasting) await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(beside, file)
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
