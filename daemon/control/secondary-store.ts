import { createHash } from 'node:crypto'
import { closeSync, fstatSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, rmSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { applyChange, makePacker, unpackRecords, type PlainRecord, type ZoneChange } from '../zone/index.ts'
import { replaceFile } from './last-good.ts'

// What secondary zones hold, kept for the next start: a file per zone, of parts. Each part is its kind, its length, a checksum and
// records; the first has all records of the zone, each pair behind it what one step deleted and added. What is cut short or
// damaged ends the file: what stands before it is a state in which the zone was once, and the next refresh brings the rest.

export interface SecondaryStore {
  /** The records of a zone (its name with the final dot); undefined when none were kept, or they cannot be read. */
  read(name: string): PlainRecord[] | undefined
  /** One step of what is kept. Durable when it returns. Throws what the disk says. */
  append(name: string, change: Pick<ZoneChange, 'deleted' | 'added'>): void
  /** All of it. Durable when it returns. Throws what the disk says. */
  write(name: string, records: Iterable<PlainRecord>): void
  drop(name: string): void
}

export const storesNothing: SecondaryStore = { read: () => undefined, append: () => undefined, write: () => undefined, drop: () => undefined }

const MAGIC = Buffer.from('nearcast zone 2\n')
const KIND = { WHOLE: 1, DELETED: 2, ADDED: 3 } as const
const SUM = 16
const HEAD = 5 + SUM
/** Steps may come to this many times the whole, and this many octets beside, before the file is written anew. */
const MOST_STEPS = 1 << 20

/** Opens state/secondary. */
export function openSecondaryStore(stateFolder: string): SecondaryStore {
  const folder = join(stateFolder, 'secondary')
  const fileOf = (name: string): string => {
    const plain = name.replaceAll(/[^a-z0-9._-]/g, (octet) => `%${octet.charCodeAt(0).toString(16).padStart(2, '0')}`)
    return join(folder, plain.length > 200 ? createHash('sha256').update(name).digest('hex') : plain === '.' ? '%2e' : plain)
  }
  const read = (name: string): { readonly records: PlainRecord[]; readonly whole: number; readonly end: number } | undefined => {
    try {
      const content = readFileSync(fileOf(name))
      const parsed = parse(content)
      // Behind what was cut short nothing would be found again.
      if (parsed !== undefined && parsed.end < content.length) truncateSync(fileOf(name), parsed.end)
      return parsed
    } catch {
      return undefined
    }
  }
  const write = (name: string, records: Iterable<PlainRecord>): void => {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    replaceFile(fileOf(name), [MAGIC, ...part(KIND.WHOLE, records)])
  }
  return {
    read: (name) => read(name)?.records,
    write,
    append: (name, { deleted, added }) => {
      const path = fileOf(name)
      const octets = Buffer.concat([...part(KIND.DELETED, deleted), ...part(KIND.ADDED, added)])
      const fd = openSync(path, 'r+')
      let size = 0
      try {
        size = fstatSync(fd).size
        for (let at = 0; at < octets.length; at += writeSync(fd, octets, at, octets.length - at, size + at));
        fsyncSync(fd)
      } catch (error) {
        ftruncateSync(fd, size)
        throw error
      } finally {
        closeSync(fd)
      }
      // Only what has grown is looked at as a whole.
      if (size < MOST_STEPS || Math.floor(size / MOST_STEPS) === Math.floor((size + octets.length) / MOST_STEPS)) return
      const now = read(name)
      if (now !== undefined && now.end > now.whole * 2 + MOST_STEPS) write(name, now.records)
    },
    drop: (name) => rmSync(fileOf(name), { force: true })
  }
}

function part(kind: number, records: Iterable<PlainRecord>): Buffer[] {
  const packer = makePacker()
  for (const record of records) packer.add(record)
  const { pieces } = packer.end()
  const head = Buffer.alloc(HEAD)
  head[0] = kind
  head.writeUInt32BE(packer.octets, 1)
  const all = pieces.map((piece) => Buffer.from(piece.buffer, piece.byteOffset, piece.length))
  checksum(head.subarray(0, 5), all).copy(head, 5)
  return [head, ...all]
}

function checksum(head: Uint8Array, pieces: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256').update(head)
  for (const piece of pieces) hash.update(piece)
  return hash.digest().subarray(0, SUM)
}

function parse(content: Buffer): { readonly records: PlainRecord[]; readonly whole: number; readonly end: number } | undefined {
  if (!content.subarray(0, MAGIC.length).equals(MAGIC)) return undefined
  let records: PlainRecord[] | undefined
  let deleted: PlainRecord[] = []
  let whole = 0
  let at = MAGIC.length
  while (at + HEAD <= content.length) {
    const end = at + HEAD + content.readUInt32BE(at + 1)
    const body = content.subarray(at + HEAD, end)
    if (end > content.length || !checksum(content.subarray(at, at + 5), [body]).equals(content.subarray(at + 5, at + HEAD))) break
    const list = [...unpackRecords({ pieces: [new Uint8Array(body)] })]
    const kind = content[at]
    at = end
    if (kind === KIND.WHOLE) {
      records = list
      whole = end
    } else if (kind === KIND.DELETED) deleted = list
    else {
      const next = applyChange(records ?? [], { deleted, added: list })
      if ('missing' in next) break
      records = next
    }
  }
  return records === undefined ? undefined : { records, whole, end: at }
}
