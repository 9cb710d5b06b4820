import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { say } from './results.ts'
import { table } from './processes.ts'
import type { StoreFigures } from './store-process.ts'

// What keeping a response costs, in a process of its own: memory beside the bodies and heads, and the CPU time to put and to get.

const OBJECTS = 1_000_000
const SIZES = [100, 1024]

export async function benchStore(): Promise<void> {
  const rows: string[][] = [['objects', 'body', 'growth of RSS', 'overhead an object', 'counted', 'put', 'get: ready', 'get: from the arena']]
  for (const size of SIZES) {
    const { held, rss, bodies, heads, counted, putNs, readyNs, wakeNs } = await measure(size)
    rows.push([held.toLocaleString('en'), `${size} octets`, `${Math.round(rss / 2 ** 20)} MiB`, `${Math.round((rss - bodies - heads) / held)} octets`, `${Math.round((counted - bodies - heads) / held)} octets`, `${Math.round(putNs)} ns`, `${Math.round(readyNs)} ns`, `${Math.round(wakeNs)} ns`])
  }
  say(table(rows))
}

function measure(size: number): Promise<StoreFigures> {
  return new Promise((resolve, reject) => {
    const process = fork(fileURLToPath(new URL('store-process.js', import.meta.url)), [String(OBJECTS), String(size)], { execArgv: ['--expose-gc'] })
    process.once('message', (figures) => resolve(figures as StoreFigures))
    process.once('error', reject)
    process.once('exit', (code) => {
      if (code !== 0) reject(new Error(`the process that measures ended with ${code}`))
    })
  })
}
