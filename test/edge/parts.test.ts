import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { Agent, createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { systemClock } from '../../core/clock.ts'
import { Fill } from '../../edge/cache/index.ts'
import type { Connection } from '../../edge/http/index.ts'
import { canSharePort, type RunningWorker } from '../../edge/index.ts'
import { joinSlices } from '../../edge/joined.ts'
import { relay } from '../../edge/relay.ts'
import { configOf, startEdge, startMember } from './workers.ts'

// Parts of what is too large to be held whole: through tiers and workers, over a restart, and while it changes.

const HOST = 'd1.nearcast.test'
const [EDGE, OTHER_EDGE, REGIONAL, SHIELD] = ['127.28.0.1', '127.28.0.2', '127.28.1.1', '127.28.2.1'] as const
const LENGTH = 300_000

const bodies = new Map<number, Buffer>()

/** The octets of a version; where two versions have the same at a place, that is chance. */
function bodyOf(version: number): Buffer {
  const body = bodies.get(version) ?? Buffer.from(Uint32Array.from({ length: LENGTH / 4 }, (_, at) => Math.imul(at + 1 + version * LENGTH, 0x9e3779b1)).buffer)
  bodies.set(version, body)
  return body
}

interface Origin {
  readonly port: number
  /** The Range of each request, in order; undefined where it had none. */
  readonly asked: (string | undefined)[]
  version: number
}

/** An origin that knows Range and If-Range, and states no freshness but that of a while. */
async function startOrigin(t: Test): Promise<Origin> {
  const server = createServer((request, response) => {
    origin.asked.push(request.headers.range)
    answer(request, response, bodyOf(origin.version), `"v${origin.version}"`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const origin: Origin = { port: (server.address() as AddressInfo).port, asked: [], version: 1 }
  return origin
}

function answer({ headers }: IncomingMessage, response: ServerResponse, body: Buffer, etag: string): void {
  const fields = { 'Cache-Control': 'max-age=3600', ETag: etag }
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '') ?? []
  const ifRange = headers['if-range']
  if (from === undefined || (ifRange !== undefined && ifRange !== etag)) return void response.writeHead(200, { ...fields, 'Content-Length': body.length }).end(body)
  const first = from === '' ? body.length - Number(to) : Number(from)
  const last = from === '' || to === '' ? body.length - 1 : Number(to)
  response.writeHead(206, { ...fields, 'Content-Range': `bytes ${first}-${last}/${body.length}`, 'Content-Length': last + 1 - first }).end(body.subarray(first, last + 1))
}

interface Got {
  readonly status: number
  readonly fields: IncomingMessage['headers']
  readonly body: Buffer
}

function ask(address: string, port: number, range: string | undefined, path = '/film', agent: Agent | false = false): Promise<Got> {
  return new Promise((resolve, reject) => {
    get({ host: address, port, path, headers: { Host: HOST, ...(range !== undefined && { Range: range }) }, agent }, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () => resolve({ status: response.statusCode!, fields: response.headers, body: Buffer.concat(pieces) }))
      response.on('error', reject)
    }).on('error', reject)
  })
}

/** Asks for a range until it is held: the last octet of an answer is there before the part is. Whoever asks in between joins the fetch. */
async function untilHeld(port: number, range: string): Promise<Got> {
  const latest = performance.now() + 30_000
  for (let got = await ask(EDGE, port, range); ; got = await ask(EDGE, port, range)) if (got.fields['x-cache'] === 'Hit from nearcast' || performance.now() > latest) return got
}

async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; tries < 3000 && !isSo(); tries++) await sleep(10)
}

async function freePort(address: string): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const keysOf = (origin: Origin, keys: Record<string, unknown> = {}): Record<string, unknown> => ({
  log: 'error',
  cache: { 'largest-object': '200KiB' },
  edges: { icn: { address: EDGE, city: 'Seoul', at: [37, 126] } },
  origins: { main: { url: `http://127.0.0.1:${origin.port}` } },
  distributions: { d1: { behaviours: [{ path: '/*', origin: 'main' }] } },
  ...keys
})

/** The same numbers for the same seed. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state % below
  }
}

/** Whether an answer to a range has the octets of the version that its ETag names, all of them, and no other. */
function isRight({ status, fields, body }: Got, first: number, last: number): boolean {
  const version = Number(/^"v(\d+)"$/.exec(fields.etag ?? '')?.[1])
  return status === 206 && fields['content-range'] === `bytes ${first}-${last}/${LENGTH}` && body.equals(bodyOf(version).subarray(first, last + 1))
}

t.test('through three tiers only what is missing is asked for, and each tier holds what it has seen', async (t) => {
  const origin = await startOrigin(t)
  const port = await freePort(EDGE)
  const config = configOf(keysOf(origin, {
    edges: { icn: { address: EDGE, city: 'Seoul', at: [37, 126], parent: 'apac' }, nrt: { address: OTHER_EDGE, city: 'Tokyo', at: [35, 139], parent: 'apac' } },
    regionals: { apac: { address: REGIONAL, shield: 'tokyo' } },
    shields: { tokyo: { address: SHIELD } }
  }))
  const members: RunningWorker[] = []
  for (const [role, name] of [['shield', 'tokyo'], ['regional', 'apac'], ['edge', 'icn'], ['edge', 'nrt']] as const) {
    const member = await startMember({ role, name, config, port, clock: systemClock })
    t.teardown(() => member.close(0))
    if (name !== 'nrt') members.push(member)
  }
  /** Beside the parts a tier holds the list of them, and that the whole cannot be held. */
  const haveHeld = (parts: number): Promise<void> => until(() => members.every((member) => member.counters().objects >= parts + 2))
  t.ok(isRight(await ask(EDGE, port, 'bytes=1000-1999'), 1000, 1999))
  await haveHeld(1)
  origin.asked.length = 0
  const wider = await ask(EDGE, port, 'bytes=500-2499')
  t.ok(isRight(wider, 500, 2499))
  await haveHeld(3)
  t.same(origin.asked, ['bytes=500-2499'], 'on both sides: from the first that is missing to the last')
  const longer = await ask(EDGE, port, 'bytes=2000-3499')
  t.ok(isRight(longer, 2000, 3499))
  await haveHeld(4)
  t.match(longer.fields['cache-status'], /^nearcast-tokyo; fwd=uri-miss; ttl=3600; stored, nearcast-apac; fwd=uri-miss; ttl=3600; stored, nearcast-icn; fwd=partial; ttl=3600; stored$/)
  t.same(origin.asked.slice(1), ['bytes=2500-3499'])
  const beside = await ask(OTHER_EDGE, port, 'bytes=600-3400')
  t.ok(isRight(beside, 600, 3400))
  t.match(beside.fields['cache-status'], /nearcast-apac; hit/)
  t.same(origin.asked.slice(2), [undefined], 'the other edge has it from the regional, once it has seen that it cannot hold the whole')
})

t.test('two workers are one cache for parts, too', { skip: canSharePort() ? false : 'several workers need Linux and koffi' }, async (t) => {
  const origin = await startOrigin(t)
  const port = await freePort(EDGE)
  const crew = await startEdge({ name: 'icn', config: configOf(keysOf(origin, { edges: { icn: { address: EDGE, city: 'Seoul', at: [37, 126], workers: 2 } } })), port })
  t.teardown(() => crew.close(0))
  t.ok(isRight(await untilHeld(port, 'bytes=0-1499'), 0, 1499))
  origin.asked.length = 0
  for (let first = 1000; first < 10_000; first += 1000) {
    t.ok(isRight(await ask(EDGE, port, `bytes=${first}-${first + 1499}`), first, first + 1499), `from ${first}`)
    t.ok(isRight(await untilHeld(port, `bytes=${first}-${first + 1499}`), first, first + 1499))
  }
  t.same(origin.asked, Array.from({ length: 9 }, (_, at) => `bytes=${(at + 1) * 1000 + 500}-${(at + 1) * 1000 + 1499}`))
  const asked = origin.asked.length
  const all = await Promise.all(Array.from({ length: 40 }, (_, at) => ask(EDGE, port, `bytes=${at * 100}-${at * 100 + 6000}`)))
  t.ok(all.every((got, at) => isRight(got, at * 100, at * 100 + 6000)))
  t.equal(origin.asked.length, asked, 'all of it was held')
  const together = await Promise.all(Array.from({ length: 40 }, () => ask(EDGE, port, 'bytes=10000-20000')))
  t.ok(together.every((got) => isRight(got, 10_000, 20_000)))
  t.same(origin.asked.slice(asked), ['bytes=10500-20000'], 'what is missing is fetched once for all')
})

const SMALL = { memory: '512KiB', 'largest-object': '200KiB', disk: '16MiB' }

for (const [where, cache] of [['memory', undefined], ['a small memory and on disk', SMALL]] as const) {
  t.test(`random ranges of what changes, held in ${where}: no answer has octets of two versions`, async (t) => {
    const origin = await startOrigin(t)
    const config = configOf(keysOf(origin, cache === undefined ? {} : { cache }))
    const member = await startMember({ role: 'edge', name: 'icn', config, port: 0, clock: systemClock, stateFolder: stateFor(t) })
    t.teardown(() => member.close(100))
    const port = Number(new URL(member.listening[0]!).port)
    const agent = new Agent({ keepAlive: true, maxSockets: 4 })
    t.teardown(() => agent.destroy())
    for (const seed of [1, 2]) {
      const number = numbersFrom(seed)
      let wrong = 0
      for (let round = 0; round < 25; round++) {
        if (number(8) === 0) origin.version++
        const wanted = Array.from({ length: 6 }, () => {
          const first = number(LENGTH - 1)
          return { first, last: Math.min(LENGTH - 1, first + number(number(2) === 0 ? 3000 : 200_000)) }
        })
        const got = await Promise.all(wanted.map(({ first, last }) => ask(EDGE, port, `bytes=${first}-${last}`, `/${seed}`, agent)))
        wrong += got.filter((one, at) => !isRight(one, wanted[at]!.first, wanted[at]!.last)).length
      }
      t.equal(wrong, 0, `seed ${seed}, ${origin.asked.length} requests to the origin so far`)
    }
  })
}

function stateFor(t: Test): string {
  const state = mkdtempSync(join(tmpdir(), 'nearcast-parts-'))
  t.teardown(() => rmSync(state, { recursive: true, force: true }))
  return state
}

t.test('parts outlast a restart where there is a disk, and what memory has let go of', async (t) => {
  const origin = await startOrigin(t)
  const state = stateFor(t)
  const config = configOf(keysOf(origin, { cache: { 'largest-object': '200KiB', disk: '64MiB' } }))
  const start = async (): Promise<{ port: number; close(): Promise<void> }> => {
    const member = await startMember({ role: 'edge', name: 'icn', config, port: 0, clock: systemClock, stateFolder: state })
    t.teardown(() => member.close(0))
    return { port: Number(new URL(member.listening[0]!).port), close: () => member.close(100) }
  }
  const first = await start()
  for (const range of ['bytes=0-999', 'bytes=1000-1999', 'bytes=0-1999', 'bytes=0-1999']) t.equal((await untilHeld(first.port, range)).status, 206)
  const asked = origin.asked.length
  await first.close()
  const second = await start()
  const held = await ask(EDGE, second.port, 'bytes=100-1899')
  t.ok(isRight(held, 100, 1899))
  t.equal(held.fields['x-cache'], 'Hit from nearcast')
  t.equal(origin.asked.length, asked)
  t.ok(isRight(await ask(EDGE, second.port, 'bytes=1500-2499'), 1500, 2499))
  t.same(origin.asked.slice(asked), ['bytes=2000-2499'], 'what is missing is fetched after a restart as before')
})

t.test('a part that is too large for memory goes to disk while it comes, is joined from there, and outlasts a restart', async (t) => {
  const origin = await startOrigin(t)
  const state = stateFor(t)
  const start = async (): Promise<{ port: number; stored(): number; close(): Promise<void> }> => {
    const member = await startMember({ role: 'edge', name: 'icn', config: configOf(keysOf(origin, { cache: SMALL })), port: 0, clock: systemClock, stateFolder: state })
    t.teardown(() => member.close(0))
    return { port: Number(new URL(member.listening[0]!).port), stored: () => member.counters().stored, close: () => member.close(100) }
  }
  const first = await start()
  const bodies = (): string[] => readdirSync(join(state, 'cache', 'edge-icn')).filter((name) => name.endsWith('.body'))
  t.ok(isRight(await untilHeld(first.port, 'bytes=1000-180999'), 1000, 180_999))
  await until(() => bodies().length === 1)
  t.equal(bodies().length, 1)
  const asked = origin.asked.length
  t.ok(isRight(await ask(EDGE, first.port, 'bytes=2000-170000'), 2000, 170_000))
  t.equal(origin.asked.length, asked)
  const joined = await ask(EDGE, first.port, 'bytes=100000-239999')
  t.ok(isRight(joined, 100_000, 239_999), 'octets from disk, and behind them those that come')
  t.same(origin.asked.slice(asked), ['bytes=181000-239999'])
  t.ok(isRight(await untilHeld(first.port, 'bytes=100000-239999'), 100_000, 239_999))
  t.ok(isRight(await ask(EDGE, first.port, 'bytes=0-200000'), 0, 200_000), 'what is missing stands before')
  t.same(origin.asked.slice(asked + 1), ['bytes=0-999'])
  t.ok(isRight(await untilHeld(first.port, 'bytes=0-200000'), 0, 200_000))
  t.ok(first.stored() <= 512 * 1024, `${first.stored()} octets in memory`)
  await first.close()
  const second = await start()
  const held = await ask(EDGE, second.port, 'bytes=1500-180000')
  t.ok(isRight(held, 1500, 180_000))
  t.equal(held.fields['x-cache'], 'Hit from nearcast')
  t.equal(origin.asked.length, asked + 2)
  for (const name of bodies()) rmSync(join(state, 'cache', 'edge-icn', name))
  await second.close()
  const third = await start()
  t.ok(isRight(await ask(EDGE, third.port, 'bytes=500-180000'), 500, 180_000), 'a file that is gone is fetched anew')
})

t.test('what is joined keeps its order for a client that takes a piece at a time', async (t) => {
  const whole = Buffer.from(Uint32Array.from({ length: 1024 * 1024 }, (_, at) => at).buffer)
  const middle = 1_700_000
  const joined = joinSlices([{ fill: Fill.of(whole.subarray(0, middle)), first: 0, last: middle - 1 }, { fill: Fill.of(whole), first: middle, last: whole.length - 1 }], (error) => t.fail(String(error)))
  const pieces: Buffer[] = []
  let drained = (): void => undefined
  const ended = await new Promise<string>((resolve) => {
    const client: Pick<Connection, 'open' | 'write' | 'finish' | 'abort'> = {
      open: (_head, _framing, watcher) => void (drained = () => watcher.drained()),
      write: (piece) => {
        pieces.push(piece)
        setImmediate(drained)
        return false
      },
      finish: () => resolve('whole'),
      abort: () => resolve('cut off')
    }
    relay({ fault: (error) => t.fail(String(error)) }, client as Connection, '', 'length', joined.fill, joined.stop)
    joined.start()
  })
  t.equal(ended, 'whole')
  t.ok(Buffer.concat(pieces).equals(whole), 'each octet at its place')
})
