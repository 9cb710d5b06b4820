import { closeSync, copyFileSync, fchmodSync, fchownSync, fsyncSync, openSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { formatFault, messageOf, type Fault } from '../../core/trouble.ts'
import { layerKey } from '../update/index.ts'
import { TYPE } from '../wire/index.ts'
import { diffSource, editFiles, readZone, sourceOfZone, withSerial, type SetEdit, type Zone, type ZoneImage } from '../zone/index.ts'
import type { FlushedZone, FlushReply } from './api.ts'
import { fingerprint } from './last-good.ts'
import { absoluteOf, readingFromDisk, shownAs, tryRead, wholeFault, type Folder } from './loader-files.ts'
import type { Laid } from './loader-over.ts'
import type { State } from './loader-state.ts'
import type { ZoneFile } from './loader-zone.ts'

// Writes what lies over a zone file into it: only the lines of RRsets that changed, with the file as it was kept beside it. What
// was written is what is served, or nothing is written; the journal goes once the file has been read again.

/** Writes back one zone, by its name with its final dot, or all. `changed`: files to be read again, absolute. */
export function writeBack(state: State, zone: string | undefined, isDry: boolean): { readonly reply: FlushReply; readonly changed: ReadonlySet<string> } {
  const due = [...state.zones].flatMap(([name, { served }]) => (served !== undefined && (zone === undefined || served.origin.toLowerCase() === zone.toLowerCase()) ? [{ name, served }] : []))
  const done = due.map(({ name, served }) => writeZone(state, name, served, isDry))
  const zones = done.map(({ flushed }) => flushed)
  return {
    reply: { zones: zone === undefined ? zones.filter(({ lines, faults }) => lines.length + faults.length > 0) : zones },
    changed: new Set(done.flatMap(({ written }) => written))
  }
}

interface Written {
  readonly flushed: FlushedZone
  readonly written: readonly string[]
}

function writeZone({ options: { folder }, over, held }: State, name: string, served: ZoneFile, isDry: boolean): Written {
  const file = shownAs(folder, name)
  const zone = { origin: served.origin, serial: served.serial, file }
  const nothing = (faults: readonly Fault[] = []): Written => ({ flushed: { ...zone, lines: [], files: [], faults: faults.map(formatFault) }, written: [] })
  const laid = over.laidOver?.(served.origin)
  if (laid === undefined || (laid.layer.sets.size === 0 && laid.layer.serial === laid.fileSerial)) return nothing()
  const edit = edited(folder, file, served, laid, held.contents.image)
  if ('faults' in edit) return nothing(edit.faults)
  const files = [...edit.texts.keys()].map((path) => ({ file: path, backup: backupOf(path, laid.fileSerial) }))
  const flushed = { ...zone, lines: edit.lines, files, faults: [] }
  if (isDry) return { flushed, written: [] }
  const written = [...edit.texts.keys()].map((path) => absoluteOf(folder, path))
  try {
    replaceAll([...edit.texts].map(([path, text], index) => ({ path: written[index]!, before: edit.before.get(path)!, text, backup: backupOf(written[index]!, laid.fileSerial) })))
    return { flushed, written }
  } catch (error) {
    // Of several files, some may have been written.
    return { ...nothing([wholeFault(file, `could not be written: ${messageOf(error)}`)]), written }
  }
}

const backupOf = (path: string, serial: number): string => `${path}.${serial}.bak`

type Edited = { readonly texts: ReadonlyMap<string, Uint8Array>; readonly before: ReadonlyMap<string, Buffer>; readonly lines: readonly string[] }

/** The new texts, which are known to say what is served; or why there can be none. */
function edited(folder: Folder, file: string, served: ZoneFile, { print, layer }: Laid, image: ZoneImage): Edited | { readonly faults: readonly Fault[] } {
  const reading = readingFromDisk(folder)
  for (const path of served.paths) tryRead(reading, shownAs(folder, path))
  if (fingerprint(reading.texts) !== print) return { faults: [wholeFault(file, 'was changed and has not been taken since: nothing is written over it', 'nearcast reload says what is wrong with it')] }
  const before = new Map<string, Buffer>()
  const read = (path: string): Buffer => {
    const text = before.get(path) ?? reading.read(path)
    before.set(path, text)
    return text
  }
  const filed = readZone({ file, read }).zone!
  const { origin } = filed
  const soa = [...filed.records].find(({ type }) => type === TYPE.SOA)!
  const now = layer.sets.get(layerKey(origin, TYPE.SOA))?.now ?? { ttl: soa.ttl, data: [soa.rdata] }
  const sets: SetEdit[] = [
    { owner: soa.owner, type: TYPE.SOA, was: { ttl: soa.ttl, data: [soa.rdata] }, now: { ttl: now.ttl, data: [withSerial(now.data[0]!, layer.serial)] } },
    ...[...layer.sets.values()].filter(({ type }) => type !== TYPE.SOA)
  ]
  const { texts, lines, faults } = editFiles({ file, origin, read }, sets)
  if (faults.length > 0) return { faults }
  const again = readZone({ file, read: (path) => texts.get(path) ?? read(path) })
  if (again.zone === undefined || !holdsTheSame(again.zone, image)) {
    return { faults: [wholeFault(file, 'its text cannot be changed so that it says what is served', 'write the changes into it by hand: --dry-run has shown which, and reload')] }
  }
  return { texts, before, lines }
}

/** Whether a zone is what an image has under its name, its SOA and all. */
function holdsTheSame(zone: Zone, image: ZoneImage): boolean {
  const difference = diffSource(image, sourceOfZone(zone), 1)
  return difference !== undefined && difference.deleted.length + difference.added.length === 0
}

interface Replacement {
  readonly path: string
  readonly before: Buffer
  readonly text: Uint8Array
  readonly backup: string
}

/** Replaces files one by one, each as a whole; none when one of them is not any more as it was. Throws what the disk says. */
function replaceAll(replacements: readonly Replacement[]): void {
  const fresh = replacements.map(({ path, before, text, backup }) => {
    // Through a link, so that the link stays one.
    const target = realpathSync(path)
    const temporary = join(dirname(target), `.${basename(target)}.new`)
    const { mode, uid, gid } = statSync(target)
    const fd = openSync(temporary, 'w', mode & 0o7777)
    try {
      fchmodSync(fd, mode & 0o7777)
      if (process.getuid?.() === 0) fchownSync(fd, uid, gid)
      for (let at = 0; at < text.length; at += writeSync(fd, text, at));
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    return { target, temporary, before, backup }
  })
  try {
    for (const { target, backup } of fresh) {
      copyFileSync(target, backup)
      syncPath(backup)
    }
    const moved = fresh.find(({ target, before }) => !readFileSync(target).equals(before))
    if (moved !== undefined) throw new Error('it was changed at this moment')
    for (const { target, temporary } of fresh) {
      renameSync(temporary, target)
      syncPath(dirname(target))
    }
  } finally {
    for (const { temporary } of fresh) rmSync(temporary, { force: true })
  }
}

function syncPath(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
