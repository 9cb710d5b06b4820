import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { makeTierAuth } from '../../edge/tiers/index.ts'
import { makeManualClock } from '../helpers/manual-clock.ts'
import { connectClient, type Client } from './client.ts'
import { startOrigin } from './origin.ts'
import { configOf, SECRET, startMember } from './workers.ts'

// Requests that may have an effect, through edge, regional and shield.

const PORT = 13260
const ADDRESS = { icn: '127.20.3.1', apac: '127.20.4.1', tokyo: '127.20.5.1' }
const HOST = 'd1.nearcast.test'

async function makeTiers(t: Test, originPort: number, names: readonly (keyof typeof ADDRESS)[] = ['tokyo', 'apac', 'icn'], bodySize = '16MiB') {
  const time = makeManualClock()
  const config = configOf({
    http: { 'body-size': bodySize },
    edges: { icn: { address: ADDRESS.icn, city: 'Seoul', at: [37, 126], parent: 'apac' } },
    regionals: { apac: { address: ADDRESS.apac, shield: 'tokyo' } },
    shields: { tokyo: { address: ADDRESS.tokyo } },
    origins: { main: { url: `http://127.0.0.1:${originPort}` } },
    distributions: { d1: { behaviours: [{ path: '/*', origin: 'main' }] } }
  })
  const roles = { icn: 'edge', apac: 'regional', tokyo: 'shield' } as const
  for (const name of names) {
    const worker = await startMember({ role: roles[name], name, config, port: PORT, clock: time.clock })
    t.teardown(() => worker.close(0))
  }
  return time
}

async function listen(t: Test, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const head = (method: string, target: string, ...fields: string[]): string => `${method} ${target} HTTP/1.1\r\n${[`Host: ${HOST}`, ...fields].join('\r\n')}\r\n\r\n`

async function ask(client: Client, text: string) {
  client.send(text)
  return client.reply()
}

t.test('what has changed is forgotten at every tier it passed', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  await makeTiers(t, origin.port)
  origin.answers.set('/', { status: 200, fields: [['Cache-Control', 'max-age=60']], body: 'old' })
  const client = await connectClient(ADDRESS.icn, PORT)
  t.equal((await ask(client, head('GET', '/'))).body, 'old')
  origin.answers.set('/', { status: 200, fields: [['Cache-Control', 'max-age=60']], body: 'new' })
  t.equal((await ask(client, head('GET', '/'))).body, 'old')
  const posted = await ask(client, `${head('POST', '/', 'Content-Length: 3')}abc`)
  t.equal(posted.fields.get('cache-status'), 'nearcast-tokyo; fwd=method, nearcast-apac; fwd=method, nearcast-icn; fwd=method')
  t.equal(origin.contents[1], 'abc')
  t.equal((await ask(client, head('GET', '/'))).body, 'new')
  client.close()
})

t.test('a large content streams through at the pace of the origin', async (t) => {
  const size = 12 << 20
  let received = 0
  let isSlow = true
  const server = createServer((request, response) => {
    request.on('data', (piece: Buffer) => {
      received += piece.length
      if (!isSlow) return
      request.pause()
      setTimeout(() => request.resume(), 1)
    })
    request.on('end', () => response.end(String(received)))
  })
  await makeTiers(t, await listen(t, server))
  const client = await connectClient(ADDRESS.icn, PORT)
  client.send(head('PUT', '/', `Content-Length: ${size}`))
  const block = 'x'.repeat(1 << 20)
  for (let sent = 0; sent < size; sent += block.length) client.send(block)
  await new Promise((resolve) => setTimeout(resolve, 30))
  t.ok(client.socket.writableLength > 0, 'the client has to wait')
  isSlow = false
  t.equal((await client.reply()).body, String(size))
  t.equal((await ask(client, head('DELETE', '/'))).status, 200, 'the connection lives on')
  client.close()
})

t.test('it is sent once: past a tier that is gone, and not again when the origin cuts it off', async (t) => {
  let asked = 0
  const server = createServer((request) => {
    asked++
    request.socket.destroy()
  })
  await makeTiers(t, await listen(t, server), ['tokyo', 'icn'])
  const client = await connectClient(ADDRESS.icn, PORT)
  const reply = await ask(client, `${head('POST', '/', 'Content-Length: 3')}abc`)
  t.equal(reply.status, 502)
  t.equal(asked, 1)
  client.close()
})

t.test('a client that leaves in the middle takes its request with it', async (t) => {
  let aborted = (): void => undefined
  const hasAborted = new Promise<void>((resolve) => (aborted = resolve))
  let came = (): void => undefined
  const hasCome = new Promise<void>((resolve) => (came = resolve))
  const server = createServer((request) => {
    request.on('data', () => came())
    request.on('error', () => aborted())
  })
  await makeTiers(t, await listen(t, server))
  const client = await connectClient(ADDRESS.icn, PORT)
  client.send(`${head('POST', '/', 'Content-Length: 300')}abc`)
  await hasCome
  client.close()
  await hasAborted
  t.pass('the origin sees that it was cut off')
})

t.test('a content that drips is not waited for', async (t) => {
  const server = createServer(() => undefined)
  const time = await makeTiers(t, await listen(t, server))
  const client = await connectClient(ADDRESS.icn, PORT)
  client.send(`${head('POST', '/', 'Content-Length: 300000')}abc`)
  const over: true[] = []
  void client.ended.then(() => over.push(true))
  // Each drip comes well within `idle`, which is a minute.
  for (let step = 0; step < 24 && over.length === 0; step++) {
    await new Promise((resolve) => setTimeout(resolve, 300))
    await time.turn(30_000)
    client.send('x')
  }
  t.equal(over.length, 1)
  client.close()
})

t.test('the client is asked to go on only once there is somebody to take it, and no further than the limit', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  origin.answers.set('/', { status: 200, fields: [], body: 'taken' })
  await makeTiers(t, origin.port, ['tokyo', 'apac', 'icn'], '1KiB')
  const client = await connectClient(ADDRESS.icn, PORT)
  client.send(head('POST', '/', 'Content-Length: 5', 'Expect: 100-continue'))
  const interim = await client.reply(true)
  t.equal(interim.status, 100)
  client.send('hello')
  const reply = await client.reply()
  t.equal(reply.status, 200)
  t.equal(reply.body, 'taken')
  t.equal((await ask(client, `${head('POST', '/', 'Content-Length: 2000')}${'x'.repeat(2000)}`)).status, 413)
  await client.ended
})

t.test('what may have an effect is taken once, however often its proof is shown', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  origin.answers.set('/', { status: 200, fields: [], body: 'done' })
  const time = await makeTiers(t, origin.port)
  const { value } = makeTierAuth(SECRET).prove({ method: 'POST', host: HOST, target: '/' }, time.clock.now())
  const client = await connectClient(ADDRESS.apac, PORT)
  const text = head('POST', '/', `X-Nearcast-Tier: ${value}`, 'Content-Length: 0')
  t.equal((await ask(client, text)).status, 200)
  t.equal((await ask(client, text)).status, 403)
  t.equal(origin.asked.length, 1)
  client.close()
})
