import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, get, request as sendRequest } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { systemClock, type Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { configOf, startMember } from './workers.ts'

// Faults of our own at any moment: whatever of ours throws, in whichever callback, ends what it was about and nothing else.

const HOST = 'd1.nearcast.test'

type Fate = 'wrong' | 'right' | 'cut off' | 'never answered'

/** A body that its path tells. */
const bodyOf = (path: string): Buffer => Buffer.alloc(path.includes('large') ? 900_000 : path.includes('middle') ? 100_000 : 3000, `${path.split('?')[0]}.`)

const CODED = new Map(['/gzip', '/middle-gzip'].map((path) => [path, gzipSync(bodyOf(path))]))

async function startSource(t: Test): Promise<number> {
  let count = 0
  const server = createServer((request, response) => {
    request.resume()
    const kind = count++ % 12
    const body = bodyOf(request.url!)
    if (kind === 0) return void response.destroy()
    if (request.headers['if-none-match'] !== undefined) return void response.writeHead(304, { 'Cache-Control': 'max-age=0, stale-while-revalidate=1' }).end()
    const coded = request.url!.includes('gzip') ? gzipSync(body) : body
    response.writeHead(kind === 1 ? 503 : 200, { 'Cache-Control': kind % 3 === 0 ? 'no-store' : kind % 3 === 1 ? 'max-age=60' : 'max-age=0', ETag: '"e"', 'Content-Type': 'text/plain', ...(request.url!.includes('vary') && { Vary: 'X-Kind' }), ...(request.url!.includes('gzip') && { 'Content-Encoding': 'gzip' }), ...(kind % 2 === 0 && { 'Content-Length': coded.length }) })
    if (kind === 2) return void response.write(coded.subarray(0, 1000), () => response.destroy())
    response.end(coded)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** Whether what came is wrong; what was cut off, or was not 200 or 206, is not. */
function isWrong(path: string, status: number, isWhole: boolean, body: Buffer, range: boolean): boolean {
  if (!isWhole || (status !== 200 && status !== 206)) return false
  const wanted = path.includes('gzip') ? CODED.get(path.split('?')[0]!)! : bodyOf(path)
  return status === 206 || range ? !body.equals(wanted.subarray(10, 2000)) && !body.equals(wanted) : !body.equals(wanted)
}

function askOnce(port: number, path: string, options: { method?: string; headers?: Record<string, string> }): Promise<Fate> {
  return new Promise((resolve) => {
    const request = sendRequest({ host: '127.0.0.1', port, path, method: options.method ?? 'GET', headers: { Host: HOST, ...options.headers }, agent: false, timeout: 20_000 }, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('error', () => undefined)
      response.on('close', () => resolve(isWrong(path, response.statusCode!, response.complete && options.method === undefined, Buffer.concat(pieces), options.headers?.['Range'] !== undefined) ? 'wrong' : response.complete ? 'right' : 'cut off'))
    })
    request.on('error', () => resolve('cut off'))
    request.on('timeout', () => {
      resolve('never answered')
      request.destroy()
    })
    if (options.method === 'POST') request.write('some content')
    request.end()
  })
}

function askHttp2(port: number, path: string): Promise<Fate> {
  return new Promise((resolve) => {
    const session = connectHttp2(`https://${HOST}:${port}`, { lookup: (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]), rejectUnauthorized: false })
    session.on('error', () => resolve('cut off'))
    const stream = session.request({ ':path': path, ':authority': HOST })
    const pieces: Buffer[] = []
    let status = 0
    stream.on('response', (fields) => (status = Number(fields[':status'])))
    stream.on('data', (piece: Buffer) => pieces.push(piece))
    stream.on('error', () => undefined)
    stream.setTimeout(20_000, () => {
      resolve('never answered')
      stream.close()
    })
    stream.on('close', () => {
      session.destroy()
      resolve(isWrong(path, status, stream.rstCode === 0 && pieces.length > 0, Buffer.concat(pieces), false) ? 'wrong' : stream.rstCode === 0 ? 'right' : 'cut off')
    })
  })
}

t.test('whatever of ours throws wherever: one request suffers, the process and the others do not', async (t) => {
  const source = await startSource(t)
  const state = mkdtempSync(join(tmpdir(), 'nearcast-faults-'))
  t.teardown(() => rmSync(state, { recursive: true, force: true }))
  const [key, certificate] = [join(state, 'key.pem'), join(state, 'certificate.pem')]
  const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', certificate, '-subj', `/CN=${HOST}`, '-days', '2'])
  t.equal(made.status, 0, String(made.stderr))
  const config = configOf({
    domain: 'nearcast.test',
    cache: { memory: '2MiB', disk: '16MiB' },
    https: { certificate, key },
    edges: { icn: { address: '127.0.0.1', city: 'Seoul', at: [0, 0] } },
    origins: { demo: { url: `http://127.0.0.1:${source}` } },
    distributions: { d1: { behaviours: [{ path: '/*', origin: 'demo' }] } }
  })
  const said: string[] = []
  const log = { info: () => undefined, warn: () => undefined, error: (...text: unknown[]) => void said.push(text.map(String).join(' ')) } as unknown as Logger
  // Everything of ours asks for the time, in every callback there is.
  let share = 0
  let thrown = 0
  const clock: Clock = {
    now: () => {
      if (Math.random() < share) {
        thrown++
        throw new Error('a planted fault')
      }
      return systemClock.now()
    },
    elapsed: systemClock.elapsed
  }
  const uncaught: unknown[] = []
  const catchIt = (error: unknown): void => void uncaught.push(error)
  process.on('uncaughtException', catchIt)
  process.on('unhandledRejection', catchIt)
  t.teardown(() => process.off('uncaughtException', catchIt).off('unhandledRejection', catchIt))
  const worker = await startMember({ role: 'edge', name: 'icn', config, port: 0, https: 0, clock, stateFolder: state, log })
  const [port, https] = worker.listening.map((url) => Number(new URL(url).port)) as [number, number]
  t.teardown(() => worker.close(100))
  share = 0.1
  const totals = { wrong: 0, right: 0, 'cut off': 0, 'never answered': 0 }
  const paths = ['/small', '/small?1', '/middle', '/large', '/large?2', '/vary', '/gzip', '/middle-gzip', '/large-vary']
  const client = async (): Promise<void> => {
    for (let round = 0; round < 40; round++) {
      const path = paths[Math.floor(Math.random() * paths.length)]!
      const kind = Math.floor(Math.random() * 8)
      const headers: Record<string, string> = { ...(kind === 0 && { Range: 'bytes=10-1999' }), ...(kind === 1 && { 'X-Kind': String(round % 3) }), ...(kind === 2 && { 'If-None-Match': '"e"' }) }
      totals[kind === 3 ? await askHttp2(https, path) : await askOnce(port, path, { headers, ...(kind === 4 && { method: 'POST' }) })]++
    }
  }
  await Promise.all(Array.from({ length: 6 }, client))
  share = 0
  t.comment(`${thrown} faults, ${JSON.stringify(totals)}, ${said.length} lines said`)
  t.same(uncaught, [])
  t.equal(totals.wrong, 0)
  t.equal(totals['never answered'], 0)
  t.ok(thrown > 20, 'faults there were')
  t.ok(said.some((line) => line.includes('a planted fault')), 'and they are told')
  // All is as it was: nothing is under way, nothing set aside.
  for (let at = 0; at < 50; at++) await askOnce(port, `/again-${at % 7}`, {})
  let isRight = 0
  for (let at = 0; at < 20; at++) if ((await askOnce(port, '/small?fresh', {})) === 'right') isRight++
  t.ok(isRight >= 15, `${isRight} of 20 are answered whole afterwards`)
  await new Promise<void>((resolve) => get({ host: '127.0.0.1', port, path: '/healthz', headers: { Host: '127.0.0.1' }, agent: false }, (response) => {
    t.equal(response.statusCode, 200)
    response.resume().on('end', resolve)
  }))
})
