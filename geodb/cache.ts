import { createHash, type Hash } from 'node:crypto'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { COUNTRIES } from './countries.ts'
import type { PlacesImage } from './places.ts'
import { aboutOf, FORMAT } from './tables.ts'

// Finished tables on disk: places-KEY.bin, 32 octets of SHA-256 over what follows. A file that is missing, cut off or
// altered is not an error: the tables are then built again.

const DIGEST = 32
/** MaxMind databases have their metadata, build date included, within this many octets of their end. */
const TAIL = 128 * 1024

/** Names what the tables are made from: the files as they are now, `geo.local`, and this program's own data and layout. */
export async function cacheKey(databases: readonly string[], local: string): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([FORMAT, local, COUNTRIES]))
  for (const database of databases) await addFile(hash, database)
  return hash.digest('hex').slice(0, 32)
}

async function addFile(hash: Hash, database: string): Promise<void> {
  const file = await open(database)
  try {
    const { size, mtimeMs } = await file.stat()
    const tail = Buffer.alloc(Math.min(size, TAIL))
    await file.read(tail, 0, tail.length, size - tail.length)
    hash.update(JSON.stringify([resolve(database), size, mtimeMs])).update(tail)
  } finally {
    await file.close()
  }
}

/** The tables kept under `key`, if they are there and whole. */
export async function keptTables(folder: string, key: string): Promise<PlacesImage | undefined> {
  let file
  try {
    file = await open(pathOf(folder, key))
  } catch {
    return undefined
  }
  try {
    const { size } = await file.stat()
    if (size <= DIGEST || (size - DIGEST) % 4 !== 0) return undefined
    const digest = Buffer.alloc(DIGEST)
    await file.read(digest, 0, DIGEST, 0)
    const tables = new SharedArrayBuffer(size - DIGEST)
    const octets = new Uint8Array(tables)
    let got = 0
    while (got < octets.length) {
      const { bytesRead } = await file.read(octets, got, octets.length - got, DIGEST + got)
      if (bytesRead === 0) return undefined
      got += bytesRead
    }
    return createHash('sha256').update(octets).digest().equals(digest) ? { tables, about: aboutOf(tables) } : undefined
  } catch {
    return undefined
  } finally {
    await file.close()
  }
}

/** Keeps tables for the next start, whole or not at all, and drops older ones. Failing to is no reason not to serve. */
export async function keepTables(folder: string, key: string, image: PlacesImage): Promise<void> {
  const path = pathOf(folder, key)
  const fresh = `${path}.${process.pid}.new`
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const file = await open(fresh, 'w')
    try {
      const octets = new Uint8Array(image.tables)
      await file.write(createHash('sha256').update(octets).digest())
      await file.writeFile(octets)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(fresh, path)
    for (const name of await readdir(folder)) {
      if (/^places-[0-9a-f]{32}\.bin(\.\d+\.new)?$/.test(name) && join(folder, name) !== path) await rm(join(folder, name), { force: true })
    }
  } catch {
    await rm(fresh, { force: true }).catch(() => undefined)
  }
}

function pathOf(folder: string, key: string): string {
  return join(folder, `places-${key}.bin`)
}
