import { systemClock } from '../core/clock.ts'
import { configSchema } from '../core/config.ts'
import { makeLogger } from '../core/log.ts'
import { primaryKey, type StoredObject } from '../edge/cache/index.ts'
import { RequestParser, type Connection, type RequestHead } from '../edge/http/index.ts'
import { serve } from '../edge/serve.ts'
import { makeWorker } from '../edge/worker.ts'
import type { Decisions } from './hit-decision.ts'
import { zipf } from './http-cases.ts'

// Fills the memory of an edge with a million objects, asks for them by Zipf's law, and says how long each answer took to be found and
// put together: reading the head of the request, looking up, judging its freshness, rendering; all but the sockets.

const OBJECTS = 1_000_000
const REQUESTS = 400_000
const WARM = 50_000
const HOST = 'bench.nearcast.test'
const LINES = 'Content-Type: image/jpeg\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\nLast-Modified: Fri, 20 Nov 2026 12:00:00 GMT\r\nCache-Control: max-age=3600\r\nVia: 1.1 nearcast-shield\r\n'
const FIELDS = `Host: ${HOST}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nAccept: image/avif,image/webp,*/*\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en\r\n\r\n`

const config = configSchema.parse({
  edges: { bench: { address: '127.0.0.1', city: 'here', at: [0, 0] } },
  origins: { bench: { url: 'http://127.0.0.1:1' } },
  cache: { memory: '1GiB' },
  distributions: { bench: { behaviours: [{ path: '/*', origin: 'bench' }] } }
})
const setup = { role: 'edge', name: 'bench', config, ports: { dns: 1, http: 80, admin: 1 }, stateFolder: '/', zonesFolder: '/', zonesLabel: '', tierSecret: '0'.repeat(64), readable: false } as const
const worker = makeWorker({ setup, clock: systemClock, log: makeLogger('bench', { readable: false, level: 'silent' }) })
const targetOf = (object: number): string => `/images/2026/11/${object.toString(36)}.jpg`

for (let object = 0; object < OBJECTS; object++) {
  const held: StoredObject = { kind: 'object', status: 200, lines: LINES, body: Buffer.alloc(256, object % 251), etag: `"${object.toString(16)}"`, lastModified: undefined, tags: '', generation: 0, lifetime: 3_600_000, initialAge: 0, receivedAt: systemClock.now(), whileRevalidating: 0, ifError: 0, frame: '', frameAge: -1, askedAt: -Infinity }
  worker.store.put(primaryKey({ distribution: 'bench', host: HOST, target: targetOf(object) }), held)
}

let answered = 0
const nothing = (): void => undefined
const reply: Connection = {
  remoteAddress: '127.0.0.1', closesAfter: false, readBody: nothing, pauseBody: nothing, resumeBody: nothing, open: nothing, inform: nothing, switchTo: nothing, watch: nothing, write: () => true, finish: nothing, abort: nothing, lends: () => false,
  whole: () => void answered++
}
const draw = zipf(OBJECTS, 0.9)
const parser = new RequestParser({ headSize: 20_480, fields: 100, urlLength: 8192 })
const took = new Float64Array(REQUESTS)
for (let at = -WARM; at < REQUESTS; at++) {
  const octets = Buffer.from(`GET ${targetOf(draw())} HTTP/1.1\r\n${FIELDS}`, 'latin1')
  const from = systemClock.elapsed()
  parser.push(octets, octets.length)
  serve(worker, parser.next() as RequestHead, reply)
  parser.keep()
  if (at >= 0) took[at] = (systemClock.elapsed() - from) * 1000
}
if (answered !== WARM + REQUESTS || worker.counters.hits !== answered) throw new Error(`${worker.counters.hits} hits of ${WARM + REQUESTS} requests`)
took.sort()
const within = (share: number): number => took[Math.floor(REQUESTS * share)]!
process.send!({ objects: worker.store.count, requests: REQUESTS, median: within(0.5), p99: within(0.99), p999: within(0.999), most: took[REQUESTS - 1]! } satisfies Decisions, () => process.exit(0))
