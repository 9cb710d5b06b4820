import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { Clock } from '../../core/clock.ts'
import { momentText } from '../../core/moment.ts'
import { messageOf } from '../../core/trouble.ts'
import type { Texts } from './last-good.ts'

// The policies of the last day, under state/policies: versions.jsonl has a line for each time that others came into service, and
// what they were made of lies beside it, each text once, compressed, under its SHA-256. Whoever asks what was answered at some
// time gets the policies of that time. It is bounded; what is damaged or gone counts as not kept, and serving needs none of it.

/** What policies were made of. */
export interface PolicySource {
  readonly texts: Texts
  /** What of nearcast.yaml they speak of, in some form: it is compared, and given back. */
  readonly fleet: Buffer
}

/** The policies of a time. Wall times. */
export type FoundPolicies =
  /** Those of now. */
  | { readonly kind: 'same'; readonly since: number }
  | ({ readonly kind: 'other'; readonly since: number; readonly until: number } & PolicySource)
  /** `reason` is a part of a sentence. */
  | { readonly kind: 'unknown'; readonly reason: string }

export interface PolicyHistory {
  /** These are in service from now on. Returns why they could not be kept. */
  note(source: PolicySource): string | undefined
  find(at: number): FoundPolicies
}

export interface HistoryBounds {
  /** Milliseconds. */
  readonly age: number
  readonly versions: number
  /** On disk, of all texts together. */
  readonly octets: number
}

export const BOUNDS: HistoryBounds = { age: 24 * 3_600_000, versions: 1000, octets: 32 << 20 }

/** Where there is no state folder. */
export const noHistory: PolicyHistory = { note: () => undefined, find: () => ({ kind: 'unknown', reason: 'there is no state folder to keep policies in' }) }

const SUM = /^[0-9a-f]{64}$/

/** A line of the list. */
interface Version {
  /** Wall time, as ISO 8601 has it. */
  readonly at: string
  /** Sums of texts. */
  readonly fleet: string
  /** Absent: they were too large to be kept. */
  files?: readonly (readonly [path: string, sum: string])[]
}

const sumOf = (text: Buffer): string => createHash('sha256').update(text).digest('hex')

/** Opens what is kept under the state folder. */
export function openPolicyHistory(stateFolder: string, clock: Pick<Clock, 'now'>, bounds = BOUNDS): PolicyHistory {
  const folder = join(stateFolder, 'policies')
  const list = join(folder, 'versions.jsonl')
  const versions = readVersions(list)
  const keep = ({ texts, fleet }: PolicySource): void => {
    const files = [...texts].map(([path, text]): [string, string] => [path, sumOf(text)])
    const fresh: Version = { at: new Date(clock.now()).toISOString(), fleet: sumOf(fleet), files }
    const last = versions.at(-1)
    if (last !== undefined && last.fleet === fresh.fleet && JSON.stringify(last.files ?? []) === JSON.stringify(files)) return
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    for (const text of [fleet, ...texts.values()]) writeText(folder, text)
    versions.push(fresh)
    prune(folder, versions, clock.now(), bounds)
    replaceFile(list, versions.map((each) => `${JSON.stringify(each)}\n`).join(''))
    sweep(folder, versions)
  }
  return {
    note: (source) => {
      try {
        keep(source)
        return undefined
      } catch (error) {
        return messageOf(error)
      }
    },
    find: (at) => find(folder, versions, at)
  }
}

function find(folder: string, versions: readonly Version[], at: number): FoundPolicies {
  const times = versions.map((each) => Date.parse(each.at))
  const number = times.findLastIndex((time) => time <= at)
  if (number < 0) return { kind: 'unknown', reason: `policies are kept ${times[0] === undefined ? 'from now on' : `since ${momentText(times[0])}`}` }
  const since = times[number]!
  if (number === versions.length - 1) return { kind: 'same', since }
  const { files, fleet } = versions[number]!
  if (files === undefined) return { kind: 'unknown', reason: 'those of then were too large to be kept' }
  try {
    const texts = new Map(files.map(([path, sum]) => [path, readText(folder, sum)]))
    return { kind: 'other', since, until: times[number + 1]!, texts, fleet: readText(folder, fleet) }
  } catch (error) {
    return { kind: 'unknown', reason: `those of then cannot be read: ${messageOf(error)}` }
  }
}

/** Lines that are damaged count for nothing. */
function readVersions(list: string): Version[] {
  let text: string
  try {
    text = readFileSync(list, 'utf8')
  } catch {
    return []
  }
  return text.split('\n').flatMap((line) => {
    try {
      const read = line === '' ? undefined : (JSON.parse(line) as unknown)
      return isVersion(read) ? [read] : []
    } catch {
      return []
    }
  })
}

function isVersion(read: unknown): read is Version {
  if (typeof read !== 'object' || !read) return false
  const { at, fleet, files = [] } = read as { readonly [Key in keyof Version]?: unknown }
  const isSum = (sum: unknown): boolean => typeof sum === 'string' && SUM.test(sum)
  return typeof at === 'string' && !Number.isNaN(Date.parse(at)) && isSum(fleet) && Array.isArray(files) && files.every((file: unknown) => Array.isArray(file) && typeof file[0] === 'string' && isSum(file[1]))
}

const pathOf = (folder: string, sum: string): string => join(folder, `${sum}.gz`)

/** @throws Error when it is gone or damaged */
function readText(folder: string, sum: string): Buffer {
  const text = gunzipSync(readFileSync(pathOf(folder, sum)))
  if (sumOf(text) !== sum) throw new Error('the copy is damaged')
  return text
}

function writeText(folder: string, text: Buffer): void {
  const path = pathOf(folder, sumOf(text))
  if (sizeOf(path) === undefined) replaceFile(path, gzipSync(text, { level: 1 }))
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size
}

function replaceFile(path: string, content: string | Buffer): void {
  writeFileSync(`${path}.new`, content, { mode: 0o600, flush: true })
  renameSync(`${path}.new`, path)
}

const sumsOf = ({ fleet, files = [] }: Version): string[] => [fleet, ...files.map(([, sum]) => sum)]

/** Drops what ended too long ago, then from the oldest on what there is no room for; of the last one alone its texts. */
function prune(folder: string, versions: Version[], now: number, { age, versions: most, octets }: HistoryBounds): void {
  const sizes = new Map<string, number>()
  const sizeOfAll = (): number => {
    const sums = new Set(versions.flatMap(sumsOf))
    for (const sum of sums) if (!sizes.has(sum)) sizes.set(sum, sizeOf(pathOf(folder, sum)) ?? 0)
    return [...sums].reduce((total, sum) => total + sizes.get(sum)!, 0)
  }
  const isOver = (): boolean => versions.length > most || Date.parse(versions[1]!.at) < now - age
  while (versions.length > 1 && (isOver() || sizeOfAll() > octets)) versions.shift()
  if (sizeOfAll() > octets) delete versions[0]!.files
}

/** Takes away texts that no version is made of. */
function sweep(folder: string, versions: readonly Version[]): void {
  const wanted = new Set(versions.flatMap(sumsOf).map((sum) => `${sum}.gz`))
  for (const name of readdirSync(folder)) if (/\.gz(\.new)?$/.test(name) && !wanted.has(name)) rmSync(join(folder, name), { force: true })
}
