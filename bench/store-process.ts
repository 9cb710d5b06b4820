import type { StoredObject } from '../edge/cache/index.ts'
import { MemoryStore } from '../edge/store/index.ts'

// Fills a store and says what it takes. Arguments: objects, octets of each body.

export interface StoreFigures {
  readonly held: number
  readonly rss: number
  readonly bodies: number
  readonly heads: number
  /** What the store itself says that it takes. */
  readonly counted: number
  readonly putNs: number
  readonly readyNs: number
  readonly wakeNs: number
}

const LINES = 'Content-Type: image/jpeg\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\nLast-Modified: Fri, 20 Nov 2026 12:00:00 GMT\r\nCache-Control: max-age=3600\r\nVia: 1.1 nearcast-shield\r\n'
const READS = 300_000

const [objects, size] = process.argv.slice(2).map(Number) as [number, number]
const keyOf = (at: number): string => `www origin.example.org /images/2026/11/${at.toString(36)}.jpg`

function objectOf(at: number): StoredObject {
  const lines = Buffer.from(LINES, 'latin1').toString('latin1')
  return { kind: 'object', status: 200, lines, body: Buffer.alloc(size, at % 251), etag: `"${at.toString(16)}"`, lastModified: undefined, tags: '', generation: 0, lifetime: 3_600_000, initialAge: 0, receivedAt: 1_795_000_000_000, whileRevalidating: 0, ifError: 0, frame: '', frameAge: -1, askedAt: -Infinity }
}

function settled(): number {
  for (let round = 0; round < 4; round++) globalThis.gc!()
  return process.memoryUsage().rss
}

function time(count: number, work: (at: number) => void): number {
  const before = process.cpuUsage()
  for (let at = 0; at < count; at++) work(at)
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1e3) / count
}

const before = settled()
const store = new MemoryStore(2.5 * 2 ** 30)
const putNs = time(objects, (at) => void store.put(keyOf(at), objectOf(at)))
const wakeNs = time(READS, (at) => void store.get(keyOf(Math.imul(at, 7919) % objects)))
const readyNs = time(READS, (at) => void store.get(keyOf(at % 1000)))
const rss = settled() - before
process.send!({ held: store.count, rss, bodies: objects * size, heads: objects * LINES.length, counted: store.size, putNs, readyNs, wakeNs } satisfies StoreFigures)
