import t, { type Test } from 'tap'
import type { RunningWorker } from '../../edge/index.ts'
import { makeManualClock, type ManualClock } from '../helpers/manual-clock.ts'
import { connectClient, type Client } from './client.ts'
import { startOrigin, type Origin } from './origin.ts'
import { until } from './secure.ts'
import { configOf, startMember } from './workers.ts'

// Connections: their limits, and how they end.

interface Edge {
  readonly worker: RunningWorker
  readonly origin: Origin
  readonly time: ManualClock
  connect(): Promise<Client>
}

async function makeEdge(t: Test, http: Record<string, unknown> = {}): Promise<Edge> {
  const origin = await startOrigin()
  const time = makeManualClock()
  const config = configOf({
    http,
    edges: { icn: { address: '127.0.0.1', city: 'Seoul', at: [37, 126] } },
    origins: { main: { url: `http://127.0.0.1:${origin.port}` } },
    distributions: { d1: { behaviours: [{ path: '/*', origin: 'main' }] } }
  })
  origin.answers.set('/', { status: 200, fields: [['Cache-Control', 'max-age=60']], body: 'hello' })
  const worker = await startMember({ role: 'edge', name: 'icn', config, port: 0, clock: time.clock })
  t.teardown(async () => {
    await worker.close(0)
    await origin.close()
  })
  const port = Number(worker.listening[0]!.split(':').at(-1))
  return { worker, origin, time, connect: () => connectClient('127.0.0.1', port) }
}

const GET = 'GET / HTTP/1.1\r\nHost: d1.nearcast.test\r\n\r\n'

/** Long enough for a sweep over the connections. In steps, so that sockets are read between whatever holds this process up. */
async function sweep(): Promise<void> {
  for (let step = 0; step < 12; step++) await new Promise((resolve) => setTimeout(resolve, 50))
}

t.test('a head that trickles in runs out of time; a connection may rest between requests', async (t) => {
  const { time, connect } = await makeEdge(t, { 'head-timeout': '10s', idle: '60s' })
  const slow = await connect()
  const resting = await connect()
  resting.send(GET)
  t.equal((await resting.reply()).status, 200)
  slow.send('GET / HTTP/1.1\r\n')
  await sweep()
  await time.turn(6000)
  await sweep()
  slow.send('Host: d1')
  await sweep()
  await time.turn(6000)
  const refused = await slow.reply()
  t.equal(refused.status, 408)
  await slow.ended
  resting.send(GET)
  t.equal((await resting.reply()).status, 200, 'still there')
  await sweep()
  await time.turn(61_000)
  await resting.ended
})

t.test('one address holds so many connections and no more', async (t) => {
  const { connect } = await makeEdge(t, { 'clients-per-address': 3 })
  const held = [await connect(), await connect(), await connect()]
  for (const client of held) {
    client.send(GET)
    t.equal((await client.reply()).status, 200)
  }
  const fourth = await connect()
  await fourth.ended
  held[0]!.close()
  await until('a place', async () => {
    const fifth = await connect()
    fifth.send(GET)
    const { status } = await fifth.reply()
    fifth.close()
    return status === 200
  })
  for (const client of held) client.close()
})

t.test('all addresses together hold so many connections', async (t) => {
  const { connect } = await makeEdge(t, { clients: 2 })
  const held = [await connect(), await connect()]
  const third = await connect()
  await third.ended
  held[0]!.close()
  await until('a place', async () => {
    const again = await connect()
    again.send(GET)
    const { status } = await again.reply()
    again.close()
    return status === 200
  })
  held[1]!.close()
})

t.test('who takes an answer too slowly is not waited for, however little it is that it takes', async (t) => {
  for (const [rate, isCut] of [['4MiB', true], ['1KiB', false]] as const) {
    const { origin, time, connect } = await makeEdge(t, { idle: '60s', 'least-rate': rate })
    origin.answers.set('/large', { status: 200, fields: [['Cache-Control', 'no-store']], body: 'x'.repeat(64 << 20) })
    const client = await connect()
    let received = 0
    client.socket.removeAllListeners('data')
    client.socket.on('data', (text: string) => (received += text.length))
    const over: true[] = []
    void client.ended.then(() => over.push(true))
    const isOver = (): boolean => over.length > 0
    client.send(GET.replace('/', '/large'))
    // Each time it takes some megabytes, well within `idle`.
    for (let round = 0; round < 3 && !isOver(); round++) {
      const wanted = received + (4 << 20)
      client.socket.resume()
      await until('some of it', () => received >= wanted || isOver())
      client.socket.pause()
      await sweep()
      await time.turn(40_000)
      await sweep()
    }
    client.socket.resume()
    await until('the end, or all of it', () => isOver() || received > 64 << 20)
    t.equal(received < 64 << 20, isCut, rate)
    client.close()
  }
})

t.test('limits of the head', async (t) => {
  const { connect } = await makeEdge(t, { 'header-size': '4KiB', 'url-length': '1KiB', 'header-count': 20 })
  for (const [text, status] of [
    [`GET /${'a'.repeat(2000)} HTTP/1.1\r\n`, 414],
    [`GET / HTTP/1.1\r\nHost: d1.nearcast.test\r\nX: ${'a'.repeat(5000)}\r\n\r\n`, 431],
    [`GET / HTTP/1.1\r\nHost: d1.nearcast.test\r\n${'X: a\r\n'.repeat(20)}\r\n`, 431]
  ] as const) {
    const client = await connect()
    client.send(text)
    t.equal((await client.reply()).status, status)
    await client.ended
  }
})

t.test('clients that leave, reset and flood do no harm', async (t) => {
  const { worker, origin, connect } = await makeEdge(t)
  let open = (): void => undefined
  origin.answers.set('/slow', { status: 200, fields: [['Cache-Control', 'no-store']], body: 'x'.repeat(3_000_000), gate: new Promise<void>((resolve) => (open = resolve)) })
  for (let at = 0; at < 20; at++) {
    const client = await connect()
    client.send(GET.replace('/', '/slow').slice(0, at % 2 === 0 ? undefined : 20))
    if (at % 3 === 0) client.socket.resetAndDestroy()
    else if (at % 3 === 1) client.socket.end()
  }
  open()
  const flood = await connect()
  flood.socket.on('error', () => undefined)
  // Far more requests than are answered while it does not read.
  flood.socket.pause()
  flood.send(GET.repeat(20_000))
  await sweep()
  const good = await connect()
  good.send(GET)
  t.equal((await good.reply()).body, 'hello')
  t.ok(worker.counters().requests < 20_000, 'a client that does not read is not answered on')
  flood.close()
  good.close()
})

t.test('a client that has ended its side still gets its answer', async (t) => {
  const { connect } = await makeEdge(t)
  const client = await connect()
  client.socket.end(GET, 'latin1')
  t.equal((await client.reply()).body, 'hello')
  await client.ended
})

t.test('stop finishes what is under way and takes no more', async (t) => {
  const { worker, origin, time, connect } = await makeEdge(t)
  let open = (): void => undefined
  origin.answers.set('/slow', { status: 200, fields: [], body: 'done', gate: new Promise<void>((resolve) => (open = resolve)) })
  const waiting = await connect()
  waiting.send(GET.replace('/', '/slow'))
  const idle = await connect()
  idle.send(GET)
  t.equal((await idle.reply()).status, 200)
  const closed = worker.close(5000)
  idle.send(GET)
  const last = await idle.reply()
  t.equal(last.status, 200, 'a request that was on its way')
  t.equal(last.fields.get('connection'), 'close')
  await t.rejects(connect())
  open()
  const reply = await waiting.reply()
  t.equal(reply.body, 'done')
  t.equal(reply.fields.get('connection'), 'close')
  await time.turn(1000)
  await closed
})
