import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../core/clock.ts'
import type { BenchOptions } from './options.ts'

// What a bench leaves behind: lines while it runs, and files under bench/results.

/** Compiled JavaScript lies in build/bench, the results beside the sources. */
const RESULTS = fileURLToPath(new URL('../../bench/results/', import.meta.url))

export const say = (text: string): void => void process.stdout.write(`${text}\n`)

/** Where and when figures were taken; asked for before anything is measured. */
export interface Circumstances {
  /** The machine, without its name. */
  readonly machine: string
  readonly day: string
  readonly rounds: number
  readonly seconds: number
}

export function circumstancesOf({ rounds, seconds }: BenchOptions): Circumstances {
  const machine = `${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release().replace(/-.*$/, '')}, Node.js ${process.versions.node}`
  return { machine: `${machine}; ${loadavg()[0]!.toFixed(1)} processes on average wanted a core in the minute before`, day: new Date(systemClock.now()).toISOString().slice(0, 10), rounds, seconds }
}

/** Whether all of a bench was run: only then its results replace those that are there. */
export const isWhole = ({ only, threads }: BenchOptions): boolean => only.length === 0 && threads === undefined

export function writeResult(file: string, text: string): void {
  mkdirSync(RESULTS, { recursive: true })
  writeFileSync(join(RESULTS, file), text)
  say(`written: bench/results/${file}`)
}

/** What a bench measured, as it wrote it beside its tables; undefined where it has not been run. */
export function readResult<Result>(file: string): Result | undefined {
  try {
    return JSON.parse(readFileSync(join(RESULTS, file), 'utf8')) as Result
  } catch {
    return undefined
  }
}

/** A table in Markdown; the first column to the left, the others to the right unless they are text. */
export function markdownTable(rows: readonly (readonly string[])[], others: 'figures' | 'text' = 'figures'): string {
  const [head, ...rest] = rows
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head!), line(head!.map((_, column) => (column === 0 || others === 'text' ? '---' : '---:'))), ...rest.map(line)].join('\n')
}
