import { appendFile, mkdir, readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/trouble.ts'
import type { Asked } from './asked.ts'
import { add, type Counts } from './harvest.ts'

// The queries of the last 24 hours, a line of JSON for each minute, in a file for each hour under state/queries:
//
//   {"at": 1795000000000, "total": 1234, "names": {"www.example.org.": {"KR": 12, "": 3}, "": {"US": 1}}}
//
// "" is the row of all names that got none of their own, and the country of those of whom that is not known. A line has at
// most LONGEST octets, so that a day has at most 62 MB whatever is asked: what is asked least loses its row first.

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const LONGEST = 42_000
/** Lines read between two turns of the event loop: a thread that reads has others to serve. */
const AT_ONCE = 10

export interface CountStore {
  /** Adds a minute. Trouble is told, once while it lasts, and what could not be kept is lost. */
  keep(at: number, total: number, counts: Counts): Promise<void>
  /** Everything kept from `since` on, with what has not been kept yet. Nothing: undefined. */
  read(since: number, pending: { readonly total: number; readonly counts: Counts; readonly since: number }): Promise<Asked>
}

export function openCountStore(folder: string, clock: Clock, warn: (line: string) => void): CountStore {
  let isFailing = false
  let last: Promise<void> = Promise.resolve()
  const write = async (at: number, line: string): Promise<void> => {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await appendFile(join(folder, fileOf(at)), line, { mode: 0o600 })
      await prune(folder, at)
      isFailing = false
    } catch (error) {
      if (!isFailing) warn(`cannot keep how often names are asked: ${messageOf(error)}`)
      isFailing = true
    }
  }
  return {
    keep: (at, total, counts) => (last = last.then(() => write(at, lineOf(at, total, counts)))),
    async read(since, pending) {
      await last
      const names: Counts = new Map()
      const sum = { total: pending.total, since: pending.since }
      mergeInto(names, pending.counts)
      for (const name of await filesIn(folder)) {
        if (timeOf(name) + HOUR_MS <= since) continue
        await readFileInto(join(folder, name), since, names, sum)
      }
      return { total: sum.total, names, since: sum.since, until: clock.now() }
    }
  }
}

async function readFileInto(path: string, since: number, names: Counts, sum: { total: number; since: number }): Promise<void> {
  const lines = (await readFile(path, 'utf8').catch(() => '')).split('\n')
  for (const [index, line] of lines.entries()) {
    if (index % AT_ONCE === AT_ONCE - 1) await new Promise((resolve) => setImmediate(resolve))
    const minute = parseLine(line)
    if (minute === undefined || minute.at < since) continue
    sum.total += minute.total
    sum.since = Math.min(sum.since, minute.at)
    for (const [name, countries] of Object.entries(minute.names)) for (const [country, count] of Object.entries(countries)) add(names, name, country, count)
  }
}

interface Minute {
  readonly at: number
  readonly total: number
  readonly names: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** A line that was cut short, as by a crash, counts for nothing. */
function parseLine(line: string): Minute | undefined {
  if (line === '') return undefined
  try {
    return JSON.parse(line) as Minute
  } catch {
    return undefined
  }
}

/** The rows that are asked most, as far as they fit; the others are added up by country. */
export function lineOf(at: number, total: number, counts: Counts): string {
  const cells = [...counts].flatMap(([name, countries]) => [...countries].map(([country, count]) => ({ name, country, count })))
  cells.sort((a, b) => b.count - a.count)
  const kept: Counts = new Map()
  let octets = 200 + 300 * 16
  for (const { name, country, count } of cells) {
    const isNew = !kept.has(name)
    const own = (isNew ? Buffer.byteLength(JSON.stringify(name)) + 4 : 0) + 10 + String(count).length
    const fits = name !== '' && octets + own <= LONGEST
    if (fits) octets += own
    add(kept, fits ? name : '', country, count)
  }
  return `${JSON.stringify({ at, total, names: Object.fromEntries([...kept].map(([name, countries]) => [name, Object.fromEntries(countries)])) })}\n`
}

function mergeInto(into: Counts, from: Counts): void {
  for (const [name, countries] of from) for (const [country, count] of countries) add(into, name, country, count)
}

const fileOf = (at: number): string => `${new Date(at).toISOString().slice(0, 13)}.jsonl`
const timeOf = (name: string): number => Date.parse(`${name.slice(0, 13)}:00:00Z`)

async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.filter((name) => /^\d{4}-\d\d-\d\dT\d\d\.jsonl$/.test(name)).sort()
}

async function prune(folder: string, now: number): Promise<void> {
  for (const name of await filesIn(folder)) if (timeOf(name) + HOUR_MS <= now - DAY_MS) await unlink(join(folder, name))
}
