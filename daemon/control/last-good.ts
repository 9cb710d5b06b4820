import { createHash, hash } from 'node:crypto'
import { closeSync, fstatSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../core/trouble.ts'

// The text of every file that is in service, kept under state/last-good: what serves after a restart when the file itself
// is broken by then. One file for each zones folder, to which every load appends what it changed and which it makes durable
// once. An entry is a line of JSON that says what follows, with a checksum, then the texts. The last entry of a name counts.
// What is cut short or damaged counts for nothing, so that a crash at any moment leaves what was kept before.

/** A text and those it includes, by path: relative to the zones folder, or absolute. The first is the file itself. */
export type Texts = ReadonlyMap<string, Buffer>

/** What is known of kept texts without reading them. */
export interface About {
  /** Their fingerprint. */
  readonly print: string
  /** Their paths, the file itself first. */
  readonly paths: readonly string[]
}

export interface LastGood {
  /** Files of which something is kept. */
  names(): Iterable<string>
  about(name: string): About | undefined
  /** Undefined when nothing is kept, or it is damaged. */
  read(name: string): Texts | undefined
  /** Takes note of what is to be kept of a file; `flush` keeps it. */
  keep(name: string, texts: Texts, print: string): void
  drop(name: string): void
  /** Makes durable all that was noted since. Returns why it could not; it is tried again the next time. */
  flush(): string | undefined
}

/** Where there is no state folder. */
export const keepsNothing: LastGood = { names: () => [], about: () => undefined, read: () => undefined, keep: () => undefined, drop: () => undefined, flush: () => undefined }

interface Head {
  readonly name: string
  /** Of all that follows, as far as the next entry; absent: the file is dropped. */
  readonly sum?: string
  readonly print?: string
  readonly files: readonly { readonly path: string; readonly octets: number }[]
}

/** Where an entry stands, its head included. */
interface Kept extends About {
  readonly at: number
  readonly head: number
  readonly octets: number
  readonly sum: string
  readonly files: Head['files']
}

type Noted = { readonly texts: Texts; readonly print: string } | 'dropped'

interface Store {
  readonly path: string
  readonly folder: string
  readonly kept: Map<string, Kept>
  readonly noted: Map<string, Noted>
  /** Octets up to the end of the last whole entry, and of those that count. */
  end: number
  live: number
}

const MAGIC = 'nearcast last-good 1\n'
/** Octets that no longer count before the file is written anew, and the longest head. */
const MOST_WASTE = 1 << 20
const LONGEST_HEAD = 1 << 16

/** Opens state/last-good for a zones folder (an absolute path). */
export function openLastGood(stateFolder: string, zonesFolder: string): LastGood {
  const folder = join(stateFolder, 'last-good')
  const path = join(folder, `${createHash('sha256').update(zonesFolder).digest('hex').slice(0, 16)}.texts`)
  const store: Store = { path, folder, kept: new Map(), noted: new Map(), end: 0, live: 0 }
  try {
    index(store)
  } catch {
    // There is none yet, or it cannot be read: then nothing is kept.
  }
  return {
    names: () => store.kept.keys(),
    about: (name) => store.kept.get(name),
    read: (name) => {
      const kept = store.kept.get(name)
      return kept === undefined ? undefined : readEntry(store, kept)
    },
    keep: (name, texts, print) => void store.noted.set(name, { texts, print }),
    drop: (name) => void (store.kept.has(name) || store.noted.has(name) ? store.noted.set(name, 'dropped') : undefined),
    flush: () => {
      try {
        flush(store)
        return undefined
      } catch (error) {
        return messageOf(error)
      }
    }
  }
}

function using<Result>(path: string, flags: string, use: (fd: number) => Result): Result {
  const fd = openSync(path, flags, 0o600)
  try {
    return use(fd)
  } finally {
    closeSync(fd)
  }
}

/** Finds what the file holds by the heads of its entries. */
function index(store: Store): void {
  using(store.path, 'r', (fd) => {
    const { size } = fstatSync(fd)
    const window = Buffer.alloc(1 << 20)
    let from = 0
    let filled = 0
    const look = (at: number): Buffer => {
      if (at < from || at + LONGEST_HEAD > from + filled) {
        from = at
        filled = readSync(fd, window, 0, window.length, at)
      }
      return window.subarray(at - from, filled)
    }
    if (look(0).toString('latin1', 0, MAGIC.length) !== MAGIC) return
    store.end = MAGIC.length
    while (store.end < size) {
      const line = look(store.end)
      const length = line.indexOf(10) + 1
      const head = length === 0 ? undefined : parseHead(line.toString('utf8', 0, length - 1))
      const octets = head?.files.reduce((sum, file) => sum + file.octets, 0) ?? 0
      if (head === undefined || store.end + length + octets > size) break
      note(store, head, store.end, length, octets)
      store.end += length + octets
    }
  })
}

/** A head carries the checksum of itself, so that what is damaged is not taken for one. */
function parseHead(line: string): Head | undefined {
  const [sum, json] = [line.slice(0, 16), line.slice(17)]
  if (checksum([Buffer.from(json)]) !== sum) return undefined
  return JSON.parse(json) as Head
}

function note(store: Store, head: Head, at: number, length: number, octets: number): void {
  const before = store.kept.get(head.name)
  if (before !== undefined) store.live -= before.head + before.octets
  store.kept.delete(head.name)
  if (head.sum === undefined) return
  store.kept.set(head.name, { at, head: length, octets, sum: head.sum, files: head.files, paths: head.files.map((file) => file.path), print: head.print ?? '' })
  store.live += length + octets
}

function readEntry({ path }: Store, { at, head, octets, sum, files }: Kept): Texts | undefined {
  try {
    const content = Buffer.alloc(octets)
    if (using(path, 'r', (fd) => readSync(fd, content, 0, octets, at + head)) !== octets || checksum([content]) !== sum) return undefined
    const texts = new Map<string, Buffer>()
    let from = 0
    for (const { path: name, octets: length } of files) {
      texts.set(name, content.subarray(from, from + length))
      from += length
    }
    return texts
  } catch {
    return undefined
  }
}

function checksum(parts: readonly Buffer[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex').slice(0, 16)
}

function flush(store: Store): void {
  if (store.noted.size === 0) return
  mkdirSync(store.folder, { recursive: true, mode: 0o700 })
  if (store.end === 0) rewrite(store)
  else {
    using(store.path, 'r+', (fd) => {
      ftruncateSync(fd, store.end)
      append(store, fd, store.noted)
      fsyncSync(fd)
    })
  }
  store.noted.clear()
  if (store.end - store.live > MOST_WASTE + store.live) rewrite(store)
}

/** Adds entries behind the last one, in large pieces. */
function append(store: Store, fd: number, entries: Iterable<readonly [string, Noted]>): void {
  let waiting: Buffer[] = []
  let size = 0
  let at = store.end
  const heads: { head: Head; at: number; length: number; octets: number }[] = []
  const write = (): void => {
    const piece = Buffer.concat(waiting)
    for (let done = 0; done < piece.length; done += writeSync(fd, piece, done, piece.length - done, at - size + done));
    waiting = []
    size = 0
  }
  for (const [name, what] of entries) {
    const head = headOf(name, what)
    const line = lineOf(head)
    const octets = head.files.reduce((sum, file) => sum + file.octets, 0)
    heads.push({ head, at, length: line.length, octets })
    waiting.push(line, ...(what === 'dropped' ? [] : what.texts.values()))
    size += line.length + octets
    at += line.length + octets
    if (size > 1 << 22) write()
  }
  write()
  for (const { head, at: start, length, octets } of heads) note(store, head, start, length, octets)
  store.end = at
}

function headOf(name: string, what: Noted): Head {
  if (what === 'dropped') return { name, files: [] }
  const { texts, print } = what
  return { name, sum: checksum([...texts.values()]), print, files: [...texts].map(([path, text]) => ({ path, octets: text.length })) }
}

function lineOf(head: Head): Buffer {
  const json = JSON.stringify(head)
  return Buffer.from(`${checksum([Buffer.from(json)])} ${json}\n`)
}

/** Writes what counts beside, then renames: a start sees the old file or the new one. */
function rewrite(store: Store): void {
  const fresh: Store = { ...store, path: `${store.path}.new`, kept: new Map(), end: MAGIC.length, live: 0 }
  using(fresh.path, 'w', (fd) => {
    writeSync(fd, MAGIC, 0)
    for (const [name, kept] of store.kept) {
      const texts = store.noted.has(name) ? undefined : readEntry(store, kept)
      if (texts !== undefined) append(fresh, fd, [[name, { texts, print: kept.print }]])
    }
    append(fresh, fd, store.noted)
    fsyncSync(fd)
  })
  renameSync(fresh.path, store.path)
  using(store.folder, 'r', fsyncSync)
  store.kept.clear()
  for (const [name, kept] of fresh.kept) store.kept.set(name, kept)
  store.end = fresh.end
  store.live = fresh.live
}

/** Writes beside, then renames: a reader sees the old file or the new one, and so does the next start after a power cut. */
export function replaceFile(file: string, parts: readonly Buffer[]): void {
  const fresh = `${file}.new`
  using(fresh, 'w', (fd) => {
    for (const part of parts) for (let at = 0; at < part.length; at += writeSync(fd, part, at));
    fsyncSync(fd)
  })
  renameSync(fresh, file)
}

/** Tells texts apart without keeping them. */
export function fingerprint(texts: Texts): string {
  // Of most zones there is one short text, and there may be very many of them.
  if (texts.size === 1) {
    const [path, text] = [...texts][0]!
    const head = `${path}\0${text.length}\0`
    if (head.length * 3 + text.length <= scratch.length) {
      const at = scratch.write(head)
      return hash('sha256', scratch.subarray(0, at + text.copy(scratch, at)), 'base64')
    }
  }
  const whole = createHash('sha256')
  for (const [path, text] of texts) whole.update(`${path}\0${text.length}\0`).update(text)
  return whole.digest('base64')
}

const scratch = Buffer.alloc(1 << 14)
