import { fork, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import type { FromProcess, Setup } from '../../core/channel.ts'
import type { Holding } from './holder.ts'
import { startOrigin } from './origin.ts'
import { until } from './secure.ts'
import { configOf, SECRET } from './workers.ts'

// Clients in their thousands that do nothing, or next to nothing: an edge as a process, held by another one.

const MOST = 10_000
const HOST = 'd1.nearcast.test'
const GET = `GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`
/** KiB of the edge's memory; what it takes is about a third of it. */
const MOST_PER_CONNECTION = 24
const files = Number(/^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? 0)
const skip = files >= MOST + 1000 ? false : `needs ${MOST + 1000} open files, may have ${files}`

t.setTimeout(300_000)

async function startEdge(t: Test, http: object): Promise<{ readonly port: number; kilobytes(): number }> {
  const origin = await startOrigin()
  origin.answers.set('/', { status: 200, fields: [['Cache-Control', 'max-age=3600']], body: 'hello' })
  const config = configOf({
    http,
    log: 'error',
    edges: { icn: { address: '127.0.0.1', city: 'Seoul', at: [37, 126] } },
    origins: { main: { url: `http://127.0.0.1:${origin.port}` } },
    distributions: { d1: { behaviours: [{ path: '/*', origin: 'main' }] } }
  })
  const setup: Setup = { role: 'edge', name: 'icn', config, ports: { dns: 1, http: 0, admin: 1 }, stateFolder: t.testdir(), zonesFolder: '/', zonesLabel: '', tierSecret: SECRET, readable: false }
  const edge = forkQuietly(t, '../../edge/main.js')
  const listening = new Promise<readonly string[]>((resolve, reject) => {
    edge.on('message', (message: FromProcess) => {
      if (message.kind === 'ready') resolve(message.listening)
      if (message.kind === 'refused') reject(new Error(message.reason))
    })
  })
  edge.send({ kind: 'setup', setup })
  const port = Number((await listening)[0]!.split(':').at(-1))
  t.teardown(() => origin.close())
  return { port, kilobytes: () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${edge.pid}/status`, 'latin1'))![1]) }
}

/** A process of its own, without what the runner of the tests has in its environment. */
function forkQuietly(t: Test, path: string, words: readonly string[] = []): ChildProcess {
  const child = fork(fileURLToPath(new URL(path, import.meta.url)), [...words], { execArgv: [], env: { ...process.env, NODE_OPTIONS: '' } })
  t.teardown(() => void child.kill('SIGKILL'))
  return child
}

/** Resolves once all are held. */
async function hold(t: Test, port: number, count: number, ...words: readonly string[]): Promise<() => Promise<Holding>> {
  const child = forkQuietly(t, 'holder.js', ['127.0.0.1', String(port), String(count), ...words])
  await new Promise((resolve, reject) => child.once('message', resolve).once('exit', (code) => reject(new Error(`the client ended with ${code}`))))
  return () =>
    new Promise((resolve) => {
      child.once('message', resolve)
      child.send('tell')
    })
}

/** Asks so many times, on one connection and on new ones in turn. */
async function serves(port: number, count: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  let right = 0
  for (let at = 0; at < count; at++) {
    right += await new Promise<number>((resolve) => {
      const outgoing = request({ host: '127.0.0.1', port, ...(at % 2 === 0 && { agent }), headers: { Host: HOST } }, (response) => {
        let text = ''
        response.on('data', (piece: Buffer) => (text += piece.toString())).on('end', () => resolve(text === 'hello' ? 1 : 0))
      })
      outgoing.on('error', () => resolve(0)).end()
    })
  }
  agent.destroy()
  return right
}

t.test('ten thousand idle connections are held, cost little, and nobody else notices', { skip }, async (t): Promise<void> => {
  const edge = await startEdge(t, { clients: 2 * MOST, 'clients-per-address': 2 * MOST, idle: '10m' })
  t.equal(await serves(edge.port, 200), 200)
  const before = edge.kilobytes()
  const tell = await hold(t, edge.port, MOST, GET)
  const each = (edge.kilobytes() - before) / MOST
  t.comment(`${each.toFixed(1)} KiB of memory a connection`)
  t.ok(each < MOST_PER_CONNECTION, `${each.toFixed(1)} KiB a connection`)
  t.equal(await serves(edge.port, 200), 200)
  t.same(await tell(), { open: MOST, heard: { 'HTTP/1.1 200': MOST } }, 'all of them are there still')
})

t.test('two thousand clients that never come to the end of a head are cut off, and nobody else notices', { skip }, async (t): Promise<void> => {
  const edge = await startEdge(t, { clients: 2 * MOST, 'clients-per-address': 2 * MOST, idle: '10m', 'head-timeout': '3s' })
  t.equal(await serves(edge.port, 10), 10)
  const tell = await hold(t, edge.port, 2000, 'GET / HTTP/1.1\r\nHost: ', 'x')
  t.equal(await serves(edge.port, 100), 100)
  await until('the end of all of them', async () => (await tell()).open === 0)
  // Whose connection is reset while it still sends may not get to read why.
  t.same(Object.keys((await tell()).heard), ['HTTP/1.1 408'])
  t.equal(await serves(edge.port, 10), 10)
})
