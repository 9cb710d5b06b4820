import { readFileSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { z } from 'zod'
import type { Logger } from '../../core/log.ts'
import { messageOf } from '../../core/trouble.ts'

/** A small JSON file of the state folder. It is always whole: written beside, synced, then renamed. */
export interface StateFile {
  /** Writes this text; of texts that come while one is being written only the last is. Trouble is logged, not thrown. */
  write(value: unknown): Promise<void>
}

export function makeStateFile(file: string, log: Logger): StateFile {
  let wanted: string | undefined
  let writing: Promise<void> | undefined
  let written: string | undefined
  const drain = async (): Promise<void> => {
    while (wanted !== undefined && wanted !== written) {
      const text = wanted
      try {
        await replaceFile(file, text)
        written = text
      } catch (error) {
        log.error({ file }, `cannot write ${file}: ${messageOf(error)}`)
        wanted = undefined
      }
    }
    writing = undefined
  }
  return {
    write: (value) => {
      wanted = `${JSON.stringify(value, undefined, 1)}\n`
      writing ??= drain()
      return writing
    }
  }
}

async function replaceFile(file: string, text: string): Promise<void> {
  const beside = `${file}.new`
  const handle = await open(beside, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(beside, file)
  const folder = await open(dirname(file), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** What a state file holds, or undefined when there is none. One that is damaged is logged and counts as none. */
export function readStateFile<Schema extends z.ZodType>(file: string, schema: Schema, log: Logger): z.output<Schema> | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.warn({ file }, `cannot read ${file}: ${messageOf(error)}`)
    return undefined
  }
  try {
    const read = schema.safeParse(JSON.parse(text))
    if (read.success) return read.data
    log.warn({ file }, `${file} is damaged and is not used: ${read.error.issues[0]?.message ?? 'unknown fault'}`)
  } catch (error) {
    log.warn({ file }, `${file} is damaged and is not used: ${messageOf(error)}`)
  }
  return undefined
}
