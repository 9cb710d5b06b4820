import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { systemClock } from '../../core/clock.ts'
import { connectClient, type Client } from './client.ts'
import { until } from './secure.ts'
import { accept, echo, frame, GET, HOST, OK, reader, startRaw, SWITCHING, UPGRADE } from './websocket.ts'
import { configOf, startMember } from './workers.ts'

// Upgrades, interim responses and expectations, through edge, regional and shield, to an origin that says what it is told to.

const PORT = 13280
const ADDRESS = { icn: '127.20.6.1', apac: '127.20.7.1', tokyo: '127.20.8.1' }

async function makeTiers(t: Test, originPort: number, http: Record<string, unknown> = {}): Promise<void> {
  const config = configOf({
    http,
    edges: { icn: { address: ADDRESS.icn, city: 'Seoul', at: [37, 126], parent: 'apac' } },
    regionals: { apac: { address: ADDRESS.apac, shield: 'tokyo' } },
    shields: { tokyo: { address: ADDRESS.tokyo } },
    origins: { main: { url: `http://127.0.0.1:${originPort}` } },
    distributions: { d1: { behaviours: [{ path: '/*', origin: 'main' }] } }
  })
  for (const [name, role] of [['tokyo', 'shield'], ['apac', 'regional'], ['icn', 'edge']] as const) {
    const worker = await startMember({ role, name, config, port: PORT, clock: systemClock })
    t.teardown(() => worker.close(0))
  }
}

async function upgrade(t: Test): Promise<{ socket: Socket; read: (length: number) => Promise<Buffer>; head: string }> {
  const socket = connect(PORT, ADDRESS.icn)
  t.teardown(() => socket.destroy())
  socket.on('error', () => undefined)
  const read = reader(socket)
  socket.write(UPGRADE)
  let head = ''
  while (!head.endsWith('\r\n\r\n')) head += (await read(1)).toString('latin1')
  return { socket, read, head }
}

t.test('WebSocket through three tiers', async (t) => {
  const origin = await startRaw(t, (_head, socket, rest) => {
    socket.write(SWITCHING)
    echo(socket, rest)
  })
  await makeTiers(t, origin.port)
  const { socket, read, head } = await upgrade(t)
  t.match(head, /^HTTP\/1\.1 101 Switching Protocols\r\n/)
  t.match(head, `Sec-WebSocket-Accept: ${accept}\r\n`)
  t.match(head, /\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/)
  t.match(origin.received[0]!.head, /\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/)
  t.match(origin.received[0]!.head, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n')
  for (const size of [1, 1000, 3_000_000]) {
    const message = Buffer.alloc(size, size % 251)
    socket.write(frame(message))
    const answer = await read(10 + size)
    t.ok(answer.subarray(10).equals(message), `${size} octets there and back`)
  }
  socket.end()
  await until('the end at the origin', () => origin.received[0]!.socket.readableEnded || origin.received[0]!.socket.destroyed)
})

t.test('a client that has ended its side before it is answered: the origin is told, and the tunnel ends', async (t) => {
  let switchNow = (): void => undefined
  const origin = await startRaw(t, (_head, socket) => {
    switchNow = () => void socket.write(SWITCHING)
    socket.on('end', () => socket.end()).resume()
  })
  await makeTiers(t, origin.port)
  const socket = connect({ port: PORT, host: ADDRESS.icn, allowHalfOpen: true }, () => socket.end(UPGRADE))
  t.teardown(() => socket.destroy())
  socket.on('error', () => undefined).resume()
  await until('the request at the origin', () => origin.received.length === 1)
  switchNow()
  await until('the end at the origin', () => origin.received[0]!.socket.destroyed)
  await until('the end at the client', () => socket.readableEnded)
})

t.test('who does not read is waited for; who says nothing is not', async (t) => {
  let socketAtOrigin: Socket | undefined
  const origin = await startRaw(t, (_head, socket) => {
    socketAtOrigin = socket
    socket.write(SWITCHING)
  })
  await makeTiers(t, origin.port, { 'tunnel-idle': '2s' })
  const { socket } = await upgrade(t)
  socket.pause()
  let sent = 0
  const block = Buffer.alloc(1 << 20)
  const pump = (): void => {
    while (sent < 400 << 20 && socketAtOrigin!.write(block)) sent += block.length
  }
  socketAtOrigin!.on('drain', pump)
  pump()
  await until('the end for want of progress', () => socketAtOrigin!.destroyed)
  t.ok(sent < 64 << 20, `the origin had to wait after ${sent} octets`)
})

t.test('only what is asked for, and may be, is let through', async (t) => {
  const origin = await startRaw(t, (_head, socket) => void socket.end(OK))
  await makeTiers(t, origin.port)
  const client = await connectClient(ADDRESS.icn, PORT)
  const ask = async (...fields: string[]): Promise<string> => {
    client.send(`GET /${origin.received.length} HTTP/1.1\r\n${[`Host: ${HOST}`, ...fields].join('\r\n')}\r\n\r\n`)
    t.equal((await client.reply()).status, 200)
    return origin.received.at(-1)!.head
  }
  for (const fields of [['Upgrade: websocket'], ['Connection: Upgrade', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'], ['Connection: Upgrade', 'Upgrade: TLS/1.0'], ['Connection: Upgrade']]) {
    t.notMatch(await ask(...fields), /upgrade|h2c/i, fields.join())
  }
  t.match(await ask('Connection: Upgrade', 'Upgrade: websocket'), /Upgrade: websocket/, 'an origin may say no')
  client.close()
})

t.test('an origin that switches unasked, or to something else', async (t) => {
  const origin = await startRaw(t, (head, socket) => void socket.write(head.startsWith('GET /chat') ? SWITCHING.replace('Upgrade: websocket', 'Upgrade: other') : SWITCHING))
  await makeTiers(t, origin.port)
  const client = await connectClient(ADDRESS.icn, PORT)
  client.send(GET)
  t.equal((await client.reply()).status, 502)
  client.send(UPGRADE)
  const { status } = await client.reply()
  t.ok([502, 503, 504].includes(status), `a tier that does not take it answers ${status}`)
  client.close()
})

t.test('tunnels are counted', async (t) => {
  const origin = await startRaw(t, (_head, socket) => void socket.write(/upgrade/i.test(_head) ? SWITCHING : OK))
  await makeTiers(t, origin.port, { tunnels: 1 })
  const { socket } = await upgrade(t)
  const client = await connectClient(ADDRESS.icn, PORT)
  client.send(UPGRADE)
  t.equal((await client.reply()).status, 200, 'the second is plain HTTP')
  socket.destroy()
  await until('a place', async () => {
    const again = await connectClient(ADDRESS.icn, PORT)
    again.send(UPGRADE)
    const { status } = await again.reply(true)
    again.close()
    return status === 101
  })
  client.close()
})

async function next(client: Client): Promise<[number, string | undefined]> {
  const { status, fields } = await client.reply(true)
  return [status, fields.get('link')]
}

t.test('interim responses pass on, to those who know of them', async (t) => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x\r\n\r\n'
  const origin = await startRaw(t, (_head, socket) => void socket.write(`${hints}HTTP/1.1 102 Processing\r\n\r\n${OK}`))
  await makeTiers(t, origin.port)
  const client = await connectClient(ADDRESS.icn, PORT)
  for (const text of [GET, `POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 0\r\n\r\n`]) {
    client.send(text)
    t.same(await next(client), [103, '</a.css>; rel=preload'])
    t.same(await next(client), [102, undefined])
    t.match(await client.reply(), { status: 200, body: 'ok' })
  }
  const old = await connectClient(ADDRESS.icn, PORT)
  old.send(GET.replace('1.1', '1.0'))
  t.match(await old.reply(), { status: 200, body: 'ok' }, 'HTTP/1.0 has none')
  client.close()
  old.close()
})

t.test('the origin says whether a content is to be sent', async (t) => {
  let says = 'HTTP/1.1 100 Continue\r\n\r\n'
  const origin = await startRaw(t, (_head, socket, rest) => {
    socket.write(says)
    let length = rest.length
    socket.on('data', (piece: Buffer) => {
      length += piece.length
      if (length === 5) socket.end(OK)
    })
  })
  await makeTiers(t, origin.port)
  const text = `POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`
  const client = await connectClient(ADDRESS.icn, PORT)
  client.send(text)
  t.equal((await client.reply(true)).status, 100)
  t.match(origin.received[0]!.head, /\r\nExpect: 100-continue\r\n/)
  client.send('hello')
  t.match(await client.reply(), { status: 200, body: 'ok' })
  says = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno'
  client.send(text)
  t.match(await client.reply(), { status: 403, body: 'no' }, 'no 100 before')
  says = ''
  const silent = await connectClient(ADDRESS.icn, PORT)
  silent.send(text)
  t.equal((await silent.reply(true)).status, 100, 'an origin that does not know of it is not waited for for long')
  silent.send('hello')
  t.match(await silent.reply(), { status: 200, body: 'ok' })
  client.close()
  silent.close()
})

t.test('transfer codings that nobody asked for', async (t) => {
  let says = ''
  const origin = await startRaw(t, (_head, socket) => void socket.end(`HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n${says}`))
  await makeTiers(t, origin.port)
  for (says of ['Transfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n', 'Transfer-Encoding: gzip\r\n\r\nabc', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n', 'Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd']) {
    const client = await connectClient(ADDRESS.icn, PORT)
    client.send(GET)
    t.equal((await client.reply()).status, 502, JSON.stringify(says))
    client.close()
  }
  says = 'Transfer-Encoding: of-no-kind\r\n\r\nabc'
  const odd = await connectClient(ADDRESS.icn, PORT)
  odd.send(GET)
  t.match(await odd.reply(), { status: 200, body: 'abc' }, 'a word that is no coding is none')
  odd.close()
  says = 'Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
  const client = await connectClient(ADDRESS.icn, PORT)
  client.send(GET)
  t.match(await client.reply(), { status: 200, body: 'abc' })
  client.close()
})
