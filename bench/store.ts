import { fork } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DiskFigures } from './disk-process.ts'
import { say } from './results.ts'
import { table } from './processes.ts'
import type { StoreFigures } from './store-process.ts'

// What keeping a response costs, in a process of its own: memory beside the bodies and heads, and the CPU time to put and to get; and
// what the index of the disk takes, in memory and to be there after a start.

const OBJECTS = 1_000_000
const SIZES = [100, 1024]
/** A head and a body of 100 octets, as they lie on disk. */
const RECORD = 400

export async function benchStore(): Promise<void> {
  const rows: string[][] = [['objects', 'body', 'growth of RSS', 'overhead an object', 'counted', 'put', 'get: ready', 'get: from the arena']]
  for (const size of SIZES) {
    const { held, rss, bodies, heads, counted, putNs, readyNs, wakeNs } = await measure<StoreFigures>('store-process.js', [OBJECTS, size])
    rows.push([held.toLocaleString('en'), `${size} octets`, `${Math.round(rss / 2 ** 20)} MiB`, `${Math.round((rss - bodies - heads) / held)} octets`, `${Math.round((counted - bodies - heads) / held)} octets`, `${Math.round(putNs)} ns`, `${Math.round(readyNs)} ns`, `${Math.round(wakeNs)} ns`])
  }
  say(`${table(rows)}\n`)
  await benchDisk()
}

async function benchDisk(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-bench-disk-'))
  try {
    await measure('disk-process.js', ['fill', folder, OBJECTS, RECORD])
    const rows: string[][] = [['disk', 'objects', 'there after', 'CPU', 'growth of RSS', 'an object', 'a read']]
    const open = async (how: string): Promise<void> => {
      const { held, rss, openMs, openCpuMs, readNs } = await measure<DiskFigures>('disk-process.js', ['open', folder, OBJECTS, RECORD])
      rows.push([how, held.toLocaleString('en'), `${(openMs / 1e3).toFixed(2)} s`, `${(openCpuMs / 1e3).toFixed(2)} s`, `${(rss / 2 ** 20).toFixed(1)} MiB`, `${Math.round(rss / held)} octets`, `${Math.round(readNs / 1e3)} us`])
    }
    await open('indexes loaded')
    for (const name of readdirSync(folder)) if (name.endsWith('.index')) rmSync(join(folder, name))
    await open('all read through')
    say(table(rows))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** @returns what the process says, or undefined where it ends without a word */
function measure<Figures>(file: string, words: readonly (string | number)[]): Promise<Figures> {
  return new Promise((resolve, reject) => {
    const process = fork(fileURLToPath(new URL(file, import.meta.url)), words.map(String), { execArgv: ['--expose-gc'] })
    let figures: unknown
    process.once('message', (said) => (figures = said))
    process.once('error', reject)
    process.once('exit', (code) => (code === 0 ? resolve(figures as Figures) : reject(new Error(`the process that measures ended with ${code}`))))
  })
}
