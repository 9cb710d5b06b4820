import { lengthOf, type Held, type StoredObject } from '../cache/index.ts'

// How something held lies in memory, and on disk: a head of numbers, then its key and its texts, one octet a character, then
// its body where that is not kept apart.

/** Where the key begins; and which word of 32 bits says how long it is. */
export const KEY_AT = 80
export const KEY_WORD = 1
/** Places of the fields; those of ETag and Last-Modified have 16 bits, as a response's head is limited to 64 KiB. */
const [KIND, FLAGS, STATUS, KEY, LINES, ETAG, LAST_MODIFIED, BODY, NUMBERS, TAGS, TOKEN] = [0, 1, 2, 4, 8, 12, 14, 16, 24, 72, 76] as const
const KINDS = { object: 1, vary: 2, pass: 3 } as const
const [HAS_ETAG, HAS_LAST_MODIFIED] = [1, 2] as const

const NOTHING = Buffer.alloc(0)

/** Octets of what is held under a key, less its body. */
export function headSize(key: string, held: Held): number {
  if (held.kind === 'object') return KEY_AT + key.length + held.lines.length + held.tags.length + (held.etag?.length ?? 0) + (held.lastModified?.length ?? 0)
  return KEY_AT + key.length + (held.kind === 'vary' ? held.names.join().length : 0)
}

/**
 * Writes what is held under a key, less its body, which follows.
 * @param into of `headSize` octets at least
 * @returns octets written
 */
export function pack(into: Buffer, key: string, held: Held): number {
  into.fill(0, 0, KEY_AT)
  into[KIND] = KINDS[held.kind]
  let at = KEY_AT
  const text = (place: number, value: string): void => {
    if (place >= ETAG) into.writeUInt16LE(value.length, place)
    else into.writeUInt32LE(value.length, place)
    at += into.write(value, at, 'latin1')
  }
  const numbers = (...values: readonly number[]): void => values.forEach((value, index) => into.writeDoubleLE(value, NUMBERS + index * 8))
  text(KEY, key)
  if (held.kind === 'pass') numbers(held.until)
  else if (held.kind === 'vary') {
    numbers(held.generation)
    text(LINES, held.names.join())
  } else {
    const { status, lines, onDisk, etag, lastModified, tags, lifetime, initialAge, receivedAt, whileRevalidating, ifError, generation } = held
    into[FLAGS] = (etag === undefined ? 0 : HAS_ETAG) | (lastModified === undefined ? 0 : HAS_LAST_MODIFIED)
    into.writeUInt16LE(status, STATUS)
    into.writeDoubleLE(lengthOf(held), BODY)
    into.writeUInt32LE(onDisk?.token ?? 0, TOKEN)
    numbers(lifetime, initialAge, receivedAt, whileRevalidating, ifError, generation)
    text(LINES, lines)
    text(ETAG, etag ?? '')
    text(LAST_MODIFIED, lastModified ?? '')
    text(TAGS, tags)
  }
  return at
}

/**
 * The opposite of `pack`.
 * @param record memory that nobody changes from here on; the body is a part of it
 * @param apart the body, where it does not follow
 */
export function unpack(record: Buffer, apart?: Buffer): Held {
  let at = KEY_AT + record.readUInt32LE(KEY)
  const text = (place: number): string => record.toString('latin1', at, (at += place >= ETAG ? record.readUInt16LE(place) : record.readUInt32LE(place)))
  const number = (index: number): number => record.readDoubleLE(NUMBERS + index * 8)
  if (record[KIND] === KINDS.pass) return { kind: 'pass', until: number(0) }
  if (record[KIND] === KINDS.vary) return { kind: 'vary', names: text(LINES).split(','), generation: number(0) }
  const flags = record[FLAGS]!
  const lines = text(LINES)
  const etag = text(ETAG)
  const lastModified = text(LAST_MODIFIED)
  const tags = text(TAGS)
  const length = record.readDoubleLE(BODY)
  const token = record.readUInt32LE(TOKEN)
  const object: StoredObject = {
    kind: 'object',
    status: record.readUInt16LE(STATUS),
    lines,
    body: token !== 0 ? NOTHING : (apart ?? record.subarray(at, at + length)),
    onDisk: token === 0 ? undefined : { token, length },
    etag: (flags & HAS_ETAG) === 0 ? undefined : etag,
    lastModified: (flags & HAS_LAST_MODIFIED) === 0 ? undefined : lastModified,
    tags,
    lifetime: number(0),
    initialAge: number(1),
    receivedAt: number(2),
    whileRevalidating: number(3),
    ifError: number(4),
    generation: number(5),
    frame: '',
    frameAge: -1,
    askedAt: -Infinity
  }
  return object
}

/** The key that a record was written under. */
export const keyOf = (record: Buffer): string => record.toString('latin1', KEY_AT, KEY_AT + record.readUInt32LE(KEY))
