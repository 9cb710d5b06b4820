import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

// The text of every file that is in service, kept under state/last-good: what serves after a restart when the file itself
// is broken by then. One file per zone, with the texts it includes: a line of JSON that says what follows, then the texts.

/** A text and those it includes, by path: relative to the zones folder, or absolute. The first is the file itself. */
export type Texts = ReadonlyMap<string, Buffer>

export interface LastGood {
  /** Everything kept for this zones folder, by the name of the file. What cannot be read is not there. */
  all(): ReadonlyMap<string, Texts>
  /** Replaces what is kept for a file, at once or not at all. Throws what the disk says. */
  keep(name: string, texts: Texts): void
  drop(name: string): void
}

interface Head {
  /** Of another zones folder it is no business of ours. */
  readonly folder: string
  readonly files: readonly { readonly path: string; readonly octets: number }[]
}

/** Where there is no state folder. */
export const keepsNothing: LastGood = { all: () => new Map(), keep: () => undefined, drop: () => undefined }

/** Opens state/last-good for a zones folder (an absolute path). */
export function openLastGood(stateFolder: string, zonesFolder: string): LastGood {
  const folder = join(stateFolder, 'last-good')
  return {
    all: () => {
      const found = new Map<string, Texts>()
      for (const name of namesIn(folder)) {
        const texts = parse(readFileSync(join(folder, name)), zonesFolder)
        if (texts !== undefined) found.set(name, texts)
      }
      return found
    },
    keep: (name, texts) => {
      mkdirSync(folder, { recursive: true })
      const head: Head = { folder: zonesFolder, files: [...texts].map(([path, text]) => ({ path, octets: text.length })) }
      replaceFile(join(folder, name), [Buffer.from(`${JSON.stringify(head)}\n`), ...texts.values()])
    },
    drop: (name) => rmSync(join(folder, name), { force: true })
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => !name.endsWith('.new'))
  } catch {
    return []
  }
}

/** The texts of one kept file; undefined when it is cut short, is no such file, or belongs to another folder. */
function parse(content: Buffer, zonesFolder: string): Texts | undefined {
  const end = content.indexOf(10)
  try {
    const head = JSON.parse(content.toString('utf8', 0, Math.max(0, end))) as Head
    if (head.folder !== zonesFolder) return undefined
    const texts = new Map<string, Buffer>()
    let at = end + 1
    for (const { path, octets } of head.files) {
      texts.set(path, content.subarray(at, at + octets))
      at += octets
    }
    return at === content.length ? texts : undefined
  } catch {
    return undefined
  }
}

/** Writes beside, then renames: a reader sees the old file or the new one, and so does the next start after a power cut. */
export function replaceFile(file: string, parts: readonly Buffer[]): void {
  const fresh = `${file}.new`
  const fd = openSync(fresh, 'w', 0o600)
  try {
    for (const part of parts) for (let at = 0; at < part.length; at += writeSync(fd, part, at));
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(fresh, file)
}

/** Tells texts apart without keeping them. */
export function fingerprint(texts: Texts): string {
  const hash = createHash('sha256')
  for (const [path, text] of texts) hash.update(`${path}\0${text.length}\0`).update(text)
  return hash.digest('base64')
}
