import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { systemClock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { native } from '../../core/native.ts'
import type { RunningWorker } from '../../edge/index.ts'
import { configOf, startMember } from './workers.ts'

// Objects larger than memory: to disk while they come, and from there.

const MIB = 2 ** 20
const LARGE = 24 * MIB
const HOST = 'd1.nearcast.test'

/** Every four octets of it are others. */
const LARGE_BODY = Buffer.from(Uint32Array.from({ length: LARGE / 4 }, (_, at) => Math.imul(at + 1, 0x9e3779b1)).buffer)

interface Source {
  readonly port: number
  fetches: number
  /** Octets that are sent at first; the rest when `go` is called. */
  gate: number | undefined
  /** Octets that the edge has taken. */
  taken: number
  chunked: boolean
  go(): void
  cut(): void
}

async function startSource(t: Test): Promise<Source> {
  let waiting: ServerResponse | undefined
  const server = createServer((request, response) => {
    source.fetches++
    source.taken = 0
    if (request.headers['if-none-match'] === '"large"') return void response.writeHead(304, { 'Cache-Control': 'max-age=3600', ETag: '"large"' }).end()
    response.writeHead(200, { 'Cache-Control': request.url === '/brief' ? 'max-age=0' : 'max-age=3600', ETag: '"large"', ...(source.chunked ? {} : { 'Content-Length': LARGE }) })
    waiting = response
    const { gate } = source
    void pour(response, 0, gate ?? LARGE).then(() => gate === undefined && response.end())
  })
  const pour = async (response: ServerResponse, from: number, to: number): Promise<void> => {
    const closed = new Promise<void>((resolve) => void response.once('close', resolve))
    for (let at = from; at < to && !response.destroyed; at += MIB) {
      const piece = LARGE_BODY.subarray(at, Math.min(to, at + MIB))
      await Promise.race([closed, new Promise<void>((resolve) => response.write(piece, () => resolve()))])
      source.taken = at + piece.length
    }
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const source: Source = {
    port: (server.address() as AddressInfo).port,
    fetches: 0,
    gate: undefined,
    taken: 0,
    chunked: false,
    go: () => {
      const response = waiting!
      void pour(response, source.gate!, LARGE).then(() => response.end())
    },
    cut: () => waiting!.destroy()
  }
  return source
}

interface Edge {
  readonly port: number
  readonly worker: RunningWorker
  readonly folder: string
  readonly said: string[]
}

async function startEdge(t: Test, source: Source, { state = stateFor(t), disk = '128MiB' }: { state?: string; disk?: string } = {}): Promise<Edge> {
  const said: string[] = []
  const config = configOf({
    domain: 'nearcast.test',
    cache: { memory: '8MiB', disk, 'largest-object': '64MiB' },
    edges: { icn: { address: '127.0.0.1', city: 'Seoul', at: [0, 0] } },
    origins: { demo: { url: `http://127.0.0.1:${source.port}` } },
    distributions: { d1: { behaviours: [{ path: '/*', origin: 'demo' }] } }
  })
  const log = { info: () => undefined, warn: (text: unknown) => void said.push(String(text)), error: (...text: unknown[]) => void said.push(text.join(' ')) } as unknown as Logger
  const worker = await startMember({ role: 'edge', name: 'icn', config, port: 0, clock: systemClock, stateFolder: state, log })
  t.teardown(() => worker.close(100))
  return { port: Number(new URL(worker.listening[0]!).port), worker, folder: join(state, 'cache', 'edge-icn'), said }
}

function stateFor(t: Test): string {
  const state = mkdtempSync(join(tmpdir(), 'nearcast-large-'))
  t.teardown(() => rmSync(state, { recursive: true, force: true }))
  return state
}

interface Got {
  status: number
  xCache: string
  fields: IncomingMessage['headers']
  pieces: Buffer[]
  size: number
  /** Resolves when it is over: whether it was whole. */
  readonly over: Promise<boolean>
  readonly response: Promise<IncomingMessage>
  body(): Buffer
  leave(): void
}

function ask({ port }: Edge, path = '/large', headers: Record<string, string> = {}, reads = true): Got {
  let begun: (response: IncomingMessage) => void
  let ended: (whole: boolean) => void
  const got: Got = {
    status: 0, xCache: '', fields: {}, pieces: [], size: 0,
    over: new Promise((resolve) => (ended = resolve)),
    response: new Promise((resolve) => (begun = resolve)),
    body: () => Buffer.concat(got.pieces),
    leave: () => request.destroy()
  }
  const request = get({ host: '127.0.0.1', port, path, headers: { Host: HOST, ...headers }, agent: false }, (response) => {
    got.status = response.statusCode!
    got.xCache = String(response.headers['x-cache'])
    got.fields = response.headers
    if (reads) {
      response.on('data', (piece: Buffer) => {
        got.pieces.push(piece)
        got.size += piece.length
      })
    }
    response.on('close', () => ended(response.complete))
    response.on('error', () => undefined)
    begun(response)
  })
  request.on('error', () => ended(false))
  return got
}

async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; tries < 3000 && !isSo(); tries++) await sleep(10)
}

const filesIn = ({ folder }: Edge, end: string): string[] => readdirSync(folder).filter((name) => name.endsWith(end))

/** A body is on disk, and what says so as well. */
const isHeld = async (edge: Edge): Promise<boolean> => {
  await until(() => filesIn(edge, '.body').length === 1)
  return filesIn(edge, '.body').length === 1
}

t.test('a body larger than memory is held on disk, whole and in parts, and over a restart', async (t) => {
  const source = await startSource(t)
  const state = stateFor(t)
  const edge = await startEdge(t, source, { state })
  for (const way of ['with a length', 'without']) {
    source.chunked = way === 'without'
    const path = `/${source.fetches}`
    const first = ask(edge, path)
    t.equal(await first.over, true, way)
    t.ok(first.body().equals(LARGE_BODY))
    t.match(first.fields['cache-status'], /stored/)
    await until(() => filesIn(edge, '.body').length === source.fetches)
    const again = ask(edge, path)
    t.equal(await again.over, true)
    t.equal(again.xCache, 'Hit from nearcast')
    t.ok(again.body().equals(LARGE_BODY))
    for (const [range, from, to] of [['bytes=0-0', 0, 1], ['bytes=131071-131072', 131_071, 131_073], ['bytes=20000000-23000000', 20_000_000, 23_000_001], ['bytes=-70000', LARGE - 70_000, LARGE]] as const) {
      const part = ask(edge, path, { Range: range })
      t.equal(await part.over, true, range)
      t.equal(part.status, 206)
      t.ok(part.body().equals(LARGE_BODY.subarray(from, to)), range)
    }
    const head = ask(edge, path, { 'If-None-Match': '"large"' })
    await head.over
    t.equal(head.status, 304)
    t.ok(edge.worker.counters().stored <= 8 * MIB, `${edge.worker.counters().stored} octets in memory`)
  }
  t.equal(source.fetches, 2)
  await edge.worker.close(100)
  const restarted = await startEdge(t, source, { state })
  const kept = ask(restarted, '/0')
  t.equal(await kept.over, true)
  t.equal(kept.xCache, 'Hit from nearcast')
  t.ok(kept.body().equals(LARGE_BODY))
  t.equal(source.fetches, 2)
  t.same(edge.said.concat(restarted.said), [])
})

t.test('while it comes: who joins late gets at once what is there, who leaves or does not read stops nobody', async (t) => {
  const source = await startSource(t)
  const edge = await startEdge(t, source)
  source.gate = 12 * MIB
  const leader = ask(edge)
  const idle = ask(edge, '/large', {}, false)
  await until(() => leader.size === 12 * MIB)
  const late = ask(edge)
  const part = ask(edge, '/large', { Range: 'bytes=3000000-3999999' })
  t.equal(await part.over, true, 'a part of what is there needs no waiting')
  t.ok(part.body().equals(LARGE_BODY.subarray(3_000_000, 4_000_000)))
  await until(() => late.size === 12 * MIB)
  t.equal(late.size, 12 * MIB)
  t.match(late.fields['cache-status'], /collapsed/)
  leader.leave()
  await sleep(20)
  source.go()
  t.equal(await late.over, true)
  t.ok(late.body().equals(LARGE_BODY))
  await until(() => source.taken === LARGE)
  t.equal(source.taken, LARGE, 'the one that does not read does not hold it up')
  t.ok(await isHeld(edge))
  const response = await idle.response
  response.on('data', (piece: Buffer) => idle.pieces.push(piece))
  t.equal(await idle.over, true)
  t.ok(idle.body().equals(LARGE_BODY), 'and gets all of it')
  const hit = ask(edge)
  await hit.over
  t.equal(hit.xCache, 'Hit from nearcast')
  t.equal(source.fetches, 1)
})

t.test('nobody reads any more: it comes all the same', async (t) => {
  const source = await startSource(t)
  const edge = await startEdge(t, source)
  source.gate = 6 * MIB
  const leader = ask(edge)
  await until(() => leader.size === 6 * MIB)
  leader.leave()
  await sleep(20)
  source.go()
  t.ok(await isHeld(edge))
  const hit = ask(edge)
  t.equal(await hit.over, true)
  t.equal(hit.xCache, 'Hit from nearcast')
  t.ok(hit.body().equals(LARGE_BODY))
})

t.test('an origin that dies in the middle leaves nothing', async (t) => {
  const source = await startSource(t)
  const edge = await startEdge(t, source)
  source.gate = 6 * MIB
  const leader = ask(edge)
  await until(() => leader.size === 6 * MIB)
  const late = ask(edge)
  await until(() => late.size === 6 * MIB)
  source.cut()
  t.equal(await leader.over, false)
  t.equal(await late.over, false)
  t.ok(LARGE_BODY.subarray(0, late.size).equals(late.body()))
  await until(() => filesIn(edge, '.part').length === 0)
  t.same([filesIn(edge, '.part'), filesIn(edge, '.body')], [[], []])
  source.gate = undefined
  const anew = ask(edge)
  t.equal(await anew.over, true)
  t.equal(anew.xCache, 'Miss from nearcast')
})

t.test('what is purged while it comes is not held; who had asked gets it', async (t) => {
  const source = await startSource(t)
  const edge = await startEdge(t, source)
  source.gate = 6 * MIB
  const leader = ask(edge)
  await until(() => leader.size === 6 * MIB)
  edge.worker.purge({ kind: 'url', what: 'd1 /large', soft: false, number: 7, at: Date.now() })
  source.go()
  t.equal(await leader.over, true)
  t.ok(leader.body().equals(LARGE_BODY))
  await until(() => filesIn(edge, '.part').length === 0)
  t.same([filesIn(edge, '.part'), filesIn(edge, '.body')], [[], []])
  source.gate = undefined
  t.equal(await ask(edge).over, true)
  t.ok(await isHeld(edge))
  edge.worker.purge({ kind: 'url', what: 'd1 /large', soft: false, number: 8, at: Date.now() })
  const after = ask(edge)
  t.equal(await after.over, true)
  t.equal(after.xCache, 'Miss from nearcast')
  t.equal(source.fetches, 3)
})

t.test('it is asked about when it is stale, and its octets stay where they are', async (t) => {
  const source = await startSource(t)
  const edge = await startEdge(t, source)
  t.equal(await ask(edge, '/brief').over, true)
  t.ok(await isHeld(edge))
  const names = filesIn(edge, '.body')
  const renewed = ask(edge, '/brief')
  t.equal(await renewed.over, true)
  t.equal(renewed.xCache, 'RefreshHit from nearcast')
  t.ok(renewed.body().equals(LARGE_BODY))
  const hit = ask(edge, '/brief')
  t.equal(await hit.over, true)
  t.equal(hit.xCache, 'Hit from nearcast')
  t.same(filesIn(edge, '.body'), names)
})

t.test('octets that were turned on disk are never served', async (t) => {
  const source = await startSource(t)
  const edge = await startEdge(t, source)
  t.equal(await ask(edge).over, true)
  t.ok(await isHeld(edge))
  const path = join(edge.folder, filesIn(edge, '.body')[0]!)
  const octets = readFileSync(path)
  octets[10 * MIB]! ^= 1
  writeFileSync(path, octets)
  const broken = ask(edge)
  t.equal(await broken.over, false)
  t.ok(broken.size < LARGE && LARGE_BODY.subarray(0, broken.size).equals(broken.body()))
  const anew = ask(edge)
  t.equal(await anew.over, true)
  t.ok(anew.body().equals(LARGE_BODY))
  t.equal(source.fetches, 2, 'fetched anew')
  await until(() => filesIn(edge, '.body').length === 1)
  writeFileSync(join(edge.folder, filesIn(edge, '.body')[0]!), octets.subarray(0, 5 * MIB))
  const cut = ask(edge)
  t.equal(await cut.over, true, 'what is cut is known before anything of it is sent')
  t.ok(cut.body().equals(LARGE_BODY))
  t.equal(source.fetches, 3)
  t.equal(edge.said.length, 1, edge.said.join())
})

const system = native()
const RLIMIT_NOFILE = 7

/** Has the process open nothing more while `work` goes on: descriptors are given from the lowest that is free. */
async function withoutDescriptors(work: () => Promise<void>): Promise<void> {
  const [before, now] = [new BigUint64Array(2), new BigUint64Array(2)]
  system!.call('int getrlimit(int, void *)')(RLIMIT_NOFILE, before)
  const set = system!.call('int setrlimit(int, void *)')
  let free = 0
  while (existsSync(`/proc/self/fd/${free}`)) free++
  now.set([BigInt(free), before[1]!])
  set(RLIMIT_NOFILE, now)
  await work().finally(() => set(RLIMIT_NOFILE, before))
}

t.test('a body that cannot be opened for want of descriptors is kept', { skip: system === undefined ? 'koffi has no binary for this system' : false }, async (t) => {
  const source = await startSource(t)
  const edge = await startEdge(t, source)
  t.equal(await ask(edge).over, true)
  t.ok(await isHeld(edge))
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const part = async (): Promise<[number | undefined, string]> => {
    const [response] = (await once(get({ host: '127.0.0.1', port: edge.port, path: '/large', headers: { Host: HOST, Range: 'bytes=4-11' }, agent }), 'response')) as [IncomingMessage]
    const pieces: Buffer[] = []
    for await (const piece of response) pieces.push(piece as Buffer)
    return [response.statusCode, Buffer.concat(pieces).toString('latin1')]
  }
  const right: [number, string] = [206, LARGE_BODY.toString('latin1', 4, 12)]
  t.same(await part(), right)
  // Something else may be closed meanwhile, whose descriptor is free then.
  let answer = right as Awaited<ReturnType<typeof part>>
  for (let tries = 0; tries < 300 && answer[0] === 206; tries++) {
    await withoutDescriptors(async () => void (answer = await part()))
    if (answer[0] === 206) await sleep(100)
  }
  t.same(answer, [503, '503 Service Unavailable: what is held on disk cannot be read for now\n'])
  t.same(await part(), right)
  t.ok((await ask(edge).over) && filesIn(edge, '.body').length === 1)
  t.equal(source.fetches, 1, 'nothing was fetched anew')
})

const mayMount = process.getuid?.() === 0 && spawnSync('mount', ['--version']).status === 0

t.test('a disk that is full in the middle: those who read get all of it, at their pace', { skip: mayMount ? false : 'only root may mount a small disk' }, async (t): Promise<void> => {
  const source = await startSource(t)
  const state = stateFor(t)
  const folder = join(state, 'cache', 'edge-icn')
  mkdirSync(folder, { recursive: true })
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=10m', 'tmpfs', folder]).status !== 0) return void t.pass('nothing can be mounted here')
  t.teardown(() => spawnSync('umount', ['-l', folder]))
  const edge = await startEdge(t, source, { state })
  const [one, idle] = [ask(edge), ask(edge, '/large', {}, false)]
  const response = await idle.response
  await until(() => one.size > 10 * MIB)
  response.on('data', (piece: Buffer) => idle.pieces.push(piece))
  t.equal(await one.over, true)
  t.equal(await idle.over, true)
  t.ok(one.body().equals(LARGE_BODY))
  t.ok(idle.body().equals(LARGE_BODY))
  t.match(edge.said, [/^nothing is written to disk for now, and memory alone takes in what is new: ENOSPC/])
  await until(() => filesIn(edge, '.part').length === 0)
  t.same([filesIn(edge, '.part'), filesIn(edge, '.body')], [[], []])
  const next = ask(edge)
  t.equal(await next.over, true)
  t.match(next.fields['cache-status'], /detail=too-large/)
})
