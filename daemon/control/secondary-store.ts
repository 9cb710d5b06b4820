import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { nameLength } from '../wire/index.ts'
import type { PlainRecord } from '../zone/index.ts'
import { replaceFile } from './last-good.ts'

/** What secondary zones hold, kept for the next start. */
export interface SecondaryStore {
  /** The records of a zone (its name with the final dot); undefined when none were kept, or they cannot be read. */
  read(name: string): PlainRecord[] | undefined
  /** Durable when it returns. Throws what the disk says. */
  write(name: string, records: Iterable<PlainRecord>): void
  drop(name: string): void
}

export const storesNothing: SecondaryStore = { read: () => undefined, write: () => undefined, drop: () => undefined }

const MAGIC = Buffer.from('nearcast zone 1\n')

/** Opens state/secondary: a file per zone, with its records in wire form. */
export function openSecondaryStore(stateFolder: string): SecondaryStore {
  const folder = join(stateFolder, 'secondary')
  const fileOf = (name: string): string => join(folder, name.replaceAll(/[^a-z0-9._-]/g, (octet) => `%${octet.charCodeAt(0).toString(16).padStart(2, '0')}`))
  return {
    read: (name) => {
      try {
        return readRecords(readFileSync(fileOf(name)))
      } catch {
        return undefined
      }
    },
    write: (name, records) => {
      mkdirSync(folder, { recursive: true })
      replaceFile(fileOf(name), [MAGIC, ...[...records].map(writeRecord), Buffer.from([0xff])])
    },
    drop: (name) => rmSync(fileOf(name), { force: true })
  }
}

/** Owner, type, TTL, length, RDATA: as in a message, without the class. */
function writeRecord({ owner, type, ttl, rdata }: PlainRecord): Buffer {
  const out = Buffer.alloc(owner.length + 8 + rdata.length)
  out.set(owner)
  out.writeUInt16BE(type, owner.length)
  out.writeUInt32BE(ttl, owner.length + 2)
  out.writeUInt16BE(rdata.length, owner.length + 6)
  out.set(rdata, owner.length + 8)
  return out
}

/** No name begins with the octet that ends the file, so that one cut short is seen. */
function readRecords(content: Buffer): PlainRecord[] | undefined {
  if (!content.subarray(0, MAGIC.length).equals(MAGIC)) return undefined
  const records: PlainRecord[] = []
  let at = MAGIC.length
  while (content[at] !== 0xff) {
    if (at >= content.length) return undefined
    const head = at + nameLength(content, at)
    const end = head + 8 + content.readUInt16BE(head + 6)
    records.push({ owner: content.subarray(at, head), type: content.readUInt16BE(head), ttl: content.readUInt32BE(head + 2), rdata: content.subarray(head + 8, end) })
    at = end
  }
  return records
}
