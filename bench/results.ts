import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'

// What a bench leaves behind: lines while it runs, and files under bench/results.

/** Compiled JavaScript lies in build/bench, the results beside the sources. */
const RESULTS = fileURLToPath(new URL('../../bench/results/', import.meta.url))

export const say = (text: string): void => void process.stdout.write(`${text}\n`)

/** The machine, without its name. */
export function machine(): string {
  return `${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release().replace(/-.*$/, '')}, Node.js ${process.versions.node}`
}

export function writeResult(file: string, text: string): void {
  mkdirSync(RESULTS, { recursive: true })
  writeFileSync(join(RESULTS, file), text)
  say(`written: bench/results/${file}`)
}

/** A table in Markdown; the first column to the left, the others to the right. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [head, ...rest] = rows
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head!), line(head!.map((_, column) => (column === 0 ? '---' : '---:'))), ...rest.map(line)].join('\n')
}
