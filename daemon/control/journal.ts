import { createHash } from 'node:crypto'
import { closeSync, existsSync, fstatSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../core/trouble.ts'
import { mergeTouched, type Layer, type Touched } from '../update/index.ts'
import { headLine, readJournal, stepLine, type JournalHead } from './journal-lines.ts'

/** Octets after which a journal is written anew as one net change, when that makes it much shorter. */
const LONG = 1 << 20
/** Octets of the longest journal: past it updates are refused until they are written back into the zone file. */
const LONGEST = 64 << 20

/** What changes without the file of the zone, kept on disk. */
export class Journal {
  readonly #path: string
  #fd: number | undefined
  #head: JournalHead
  #layer: Layer
  #octets: number
  /** Octets it had when it was last written anew. */
  #compact: number

  private constructor(path: string, fd: number, head: JournalHead, layer: Layer, octets: number) {
    this.#path = path
    this.#fd = fd
    this.#head = head
    this.#layer = layer
    this.#octets = octets
    this.#compact = Math.min(octets, LONG)
  }

  /**
   * Opens the journal of a zone when there is one. What an interrupted write left at its end is cut off.
   * @param folder state/journal
   * @returns the journal, if any, and lines worth logging
   * @throws what the disk says
   */
  static open(folder: string, origin: string): { journal?: Journal; notes: readonly string[] } {
    const path = join(folder, fileNameOf(origin))
    // Most zones have none, and of those there may be very many: that is no error to be thrown and caught.
    if (statSync(path, { throwIfNoEntry: false }) === undefined) return { notes: [] }
    const content = readFileSync(path)
    const text = readJournal(content)
    if (text === undefined) return { notes: [`${path}: is no journal, or its first line is damaged: it was set aside as ${setAside(path)}, and its changes are not served`] }
    const cut = content.length - text.whole
    const notes: string[] = []
    if (text.isBroken) {
      notes.push(`${path}: is damaged behind step ${text.steps}: what came after it is not served, and the whole was set aside as ${setAside(path)}`)
      const { fd, octets } = writeAnew(path, text.head, text.layer)
      return { journal: new Journal(path, fd, text.head, text.layer, octets), notes }
    }
    const fd = openSync(path, 'r+')
    if (cut > 0) {
      ftruncateSync(fd, text.whole)
      fsyncSync(fd)
      notes.push(`${path}: ${cut} octets of a write that was interrupted were cut off; nothing of them had been acknowledged`)
    }
    return { journal: new Journal(path, fd, text.head, text.layer, text.whole), notes }
  }

  /** Begins a journal over a zone file, in place of what there is. @throws what the disk says */
  static create(folder: string, head: Omit<JournalHead, 'journal'>, layer: Layer): Journal {
    if (mkdirSync(folder, { recursive: true, mode: 0o700 }) !== undefined) syncFolder(join(folder, '..'))
    const path = join(folder, fileNameOf(head.origin))
    const whole: JournalHead = { journal: 1, ...head }
    const { fd, octets } = writeAnew(path, whole, layer)
    return new Journal(path, fd, whole, layer, octets)
  }

  get head(): JournalHead {
    return this.#head
  }

  get layer(): Layer {
    return this.#layer
  }

  get octets(): number {
    return this.#octets
  }

  /**
   * Takes one more step on top of what it holds; it is on the disk when this returns.
   * @throws Error when it cannot be put there; nothing of it is kept then
   */
  append(serial: number, touched: readonly Touched[]): void {
    const line = Buffer.from(stepLine(this.#layer, serial, touched))
    if (this.#octets + line.length > LONGEST) throw new Error(`its journal has reached ${LONGEST >> 20} MiB: npx nearcast flush writes it back into the zone file`)
    if (this.#fd === undefined) throw new Error('its journal is closed')
    try {
      for (let at = 0; at < line.length; at += writeSync(this.#fd, line, at, line.length - at, this.#octets + at));
      fsyncSync(this.#fd)
    } catch (error) {
      this.#takeBack()
      throw error
    }
    this.#octets += line.length
    this.#layer = { serial, sets: mergeTouched(this.#layer, touched).sets }
    if (this.#octets > LONG && this.#octets > this.#compact * 2) this.#compactNow()
  }

  /** Lies over another text of the file from now on. @throws what the disk says; it stays as it was then */
  rewrite(head: Pick<JournalHead, 'file' | 'fileSerial'>, layer: Layer): void {
    const next: JournalHead = { ...this.#head, ...head }
    try {
      this.#use(writeAnew(this.#path, next, layer))
    } catch (error) {
      if (!this.#isInPlace()) this.close()
      throw error
    }
    this.#head = next
    this.#layer = layer
  }

  /** Removes it from the disk. */
  remove(): void {
    this.close()
    rmSync(this.#path, { force: true })
    syncFolder(join(this.#path, '..'))
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  /** What was half written must not stand before the next step. */
  #takeBack(): void {
    try {
      ftruncateSync(this.#fd!, this.#octets)
    } catch {
      // A line that is not whole ends the journal: nothing may be written behind it.
      this.close()
    }
  }

  #compactNow(): void {
    try {
      this.#use(writeAnew(this.#path, this.#head, this.#layer))
    } catch {
      // It is as long as it was, and right; unless the new one is in its place already, and only the folder could not be written.
      if (!this.#isInPlace()) this.close()
    }
    this.#compact = this.#octets
  }

  /** What is written to is what stands under its name. */
  #isInPlace(): boolean {
    try {
      return this.#fd !== undefined && fstatSync(this.#fd).ino === statSync(this.#path).ino
    } catch {
      return false
    }
  }

  #use({ fd, octets }: { readonly fd: number; readonly octets: number }): void {
    this.close()
    this.#fd = fd
    this.#octets = octets
    this.#compact = Math.max(octets, LONG / 2)
  }
}

/** Writes beside, then renames: at any moment the disk holds the old journal or the new one. */
function writeAnew(path: string, head: JournalHead, layer: Layer): { fd: number; octets: number } {
  const { serial, sets } = layer
  const text = Buffer.from(headLine({ ...head, serial }) + (sets.size === 0 ? '' : stepLine({ serial, sets: new Map() }, serial, [...sets.values()])))
  const fresh = `${path}~new`
  const fd = openSync(fresh, 'w+', 0o600)
  try {
    for (let at = 0; at < text.length; at += writeSync(fd, text, at));
    fsyncSync(fd)
    renameSync(fresh, path)
    syncFolder(join(path, '..'))
  } catch (error) {
    closeSync(fd)
    rmSync(fresh, { force: true })
    throw error
  }
  return { fd, octets: fstatSync(fd).size }
}

/** A journal that cannot be read whole is kept for a person to look at. @returns how it is called now */
function setAside(path: string): string {
  let aside = `${path}~broken`
  for (let count = 2; existsSync(aside); count++) aside = `${path}~broken${count}`
  renameSync(path, aside)
  return aside
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/**
 * The zone's name as the name of a file: `0/25.2.0.192.in-addr.arpa` is one zone, and some names are longer than files'. It has no `~`,
 * which sets apart what lies beside: `example.new` is a zone too.
 */
function fileNameOf(origin: string): string {
  const name = origin.toLowerCase().replaceAll(/[^a-z0-9._-]/g, (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
  const short = name.length > 200 ? createHash('sha256').update(name).digest('hex') : name.replace(/\.$/, '')
  return short === '' ? '%2e' : short
}

/** What went wrong with a journal, in a few words. */
export function diskTrouble(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOSPC' || code === 'EDQUOT' ? 'the disk is full' : messageOf(error)
}
