import { readdirSync, statSync, watch, type FSWatcher, type Stats } from 'node:fs'
import { dirname, join } from 'node:path'
import type { After, Clock } from '../../core/clock.ts'

/** A file is taken once it has not changed for this long: editors and copies write in several steps. */
const STILL_MS = 150
/** How often a file that is being written is looked at. */
const LOOK_MS = 40
/** Files that are still do not wait longer than this for others that are not. */
const LONGEST_WAIT_MS = 400
/** Everything is looked over this often, for file systems that tell nothing; less often when a look takes long. */
const POLL_MS = 1000
const POLL_SHARE = 20

export interface WatchOptions {
  /** The folder that is watched (absolute), and which of its files, by name. */
  readonly folder: string
  wants(name: string): boolean
  /** Told of the files (absolute paths) that have come to rest after a change, or are gone, and of those that have not yet. */
  changed(files: ReadonlySet<string>, moving: ReadonlySet<string>): void
  /** What files look like that are read before anything else is done here: what differs from that is a change. Absent: what they look like now. */
  readonly stamps?: Map<string, string>
  readonly clock: Clock
  readonly after: After
}

/** A file that differs from what is known of it, and has not come to rest. */
interface Moving {
  readonly stamp: string
  /** When it came to look as it looks, and when it began to move. */
  readonly since: number
  readonly from: number
}

/** What a file looks like from outside; `gone` when there is none. */
export function stampOf(file: string): string {
  try {
    const stat = statSync(file, { throwIfNoEntry: false })
    return stat === undefined ? 'gone' : stampIn(stat)
  } catch {
    // In a folder that is not ours to look into.
    return 'hidden'
  }
}

/** The same, of a file that has been looked at. */
export const stampIn = ({ ino, size, mtimeMs, ctimeMs }: Stats): string => `${ino} ${size} ${mtimeMs} ${ctimeMs}`

/** Tells which files of a folder, and which others that are followed, have changed and come to rest. */
export class FileWatcher {
  readonly #options: WatchOptions
  /** Stamps of the files as they were last taken. */
  readonly #known: Map<string, string>
  readonly #moving = new Map<string, Moving>()
  readonly #folders = new Map<string, FSWatcher>()
  #followed: ReadonlySet<string> = new Set()
  #isClosed = false
  #willLook = false

  /** Everything that is there now is known: what differs later is a change. */
  constructor(options: WatchOptions) {
    this.#options = options
    this.#known = options.stamps ?? new Map()
    this.#openFolders()
    if (options.stamps === undefined) for (const file of this.#files()) this.#known.set(file, stampOf(file))
    this.#pollIn(POLL_MS)
  }

  /** From now on these files too (absolute paths), and no others that were followed before. */
  follow(files: Iterable<string>): void {
    this.#followed = new Set(files)
    for (const file of this.#followed) if (!this.#known.has(file)) this.#known.set(file, stampOf(file))
    this.#openFolders()
  }

  close(): void {
    this.#isClosed = true
    for (const watcher of this.#folders.values()) watcher.close()
    this.#folders.clear()
  }

  #files(): Set<string> {
    const { folder, wants } = this.#options
    const files = new Set(this.#followed)
    try {
      for (const name of readdirSync(folder)) if (wants(name)) files.add(folder.endsWith('/') ? join(folder, name) : `${folder}/${name}`)
    } catch {
      // A folder that is gone has no files.
    }
    return files
  }

  #mark(file: string): void {
    const stamp = stampOf(file)
    const before = this.#moving.get(file)
    if (before === undefined && stamp === (this.#known.get(file) ?? 'gone')) return
    const now = this.#options.clock.elapsed()
    if (before?.stamp !== stamp) this.#moving.set(file, { stamp, since: now, from: before?.from ?? now })
    this.#lookSoon()
  }

  #lookSoon(): void {
    if (this.#willLook) return
    this.#willLook = true
    this.#options.after(LOOK_MS, () => this.#look())
  }

  #look(): void {
    this.#willLook = false
    if (this.#isClosed) return
    for (const file of this.#moving.keys()) this.#mark(file)
    const now = this.#options.clock.elapsed()
    const moving = [...this.#moving]
    const still = moving.filter(([, { since }]) => now - since >= STILL_MS)
    if (still.length === 0 || (still.length < moving.length && moving.every(([, { from }]) => now - from < LONGEST_WAIT_MS))) return
    for (const [file, { stamp }] of still) {
      this.#moving.delete(file)
      this.#known.set(file, stamp)
    }
    this.#options.changed(new Set(still.map(([file]) => file)), new Set(this.#moving.keys()))
  }

  #pollIn(milliseconds: number): void {
    const { clock, after } = this.#options
    const due = clock.elapsed() + milliseconds
    after(milliseconds, () => {
      const late = clock.elapsed() - due
      // Whatever kept this thread for so long has most likely just read them all.
      if (late > POLL_MS) this.#pollIn(late)
      else this.#poll()
    })
  }

  #poll(): void {
    if (this.#isClosed) return
    const { clock } = this.#options
    const start = clock.elapsed()
    this.#openFolders()
    const files = this.#files()
    for (const file of files) this.#mark(file)
    for (const file of this.#known.keys()) if (!files.has(file)) this.#mark(file)
    this.#pollIn(Math.max(POLL_MS, POLL_SHARE * (clock.elapsed() - start)))
  }

  #openFolders(): void {
    const wanted = new Set([this.#options.folder, ...[...this.#followed].map((file) => dirname(file))])
    for (const [folder, watcher] of this.#folders) if (!wanted.has(folder) && this.#folders.delete(folder)) watcher.close()
    for (const folder of wanted) if (!this.#folders.has(folder)) this.#openFolder(folder)
  }

  #openFolder(folder: string): void {
    const { wants } = this.#options
    try {
      const watcher = watch(folder, (_event, name) => {
        if (name === null) for (const file of this.#files()) this.#mark(file)
        else if ((folder === this.#options.folder && wants(name)) || this.#followed.has(join(folder, name))) this.#mark(join(folder, name))
      })
      watcher.on('error', () => {
        watcher.close()
        if (this.#folders.get(folder) === watcher) this.#folders.delete(folder)
      })
      this.#folders.set(folder, watcher)
    } catch {
      // It may come to be later; until then the slow look finds what changes.
    }
  }
}
