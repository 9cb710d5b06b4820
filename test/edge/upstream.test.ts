import { createServer, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { systemClock } from '../../core/clock.ts'
import { UpstreamClient, type Fetching } from '../../edge/http/index.ts'
import { connectClient } from './client.ts'
import { configOf, startMember } from './workers.ts'
import { freePort } from '../fuzz/raw-origin.ts'

// What is asked over plain connections that are kept, and answers of all shapes, octet by octet.

interface Server {
  readonly port: number
  /** The paths asked for, each with the number of its connection. */
  readonly asked: { readonly path: string; readonly connection: number }[]
  readonly sockets: Socket[]
}

/** A server that does with each request what it is told to. */
async function startServer(t: Test, answer: (socket: Socket, path: string) => void): Promise<Server> {
  const [asked, sockets]: [Server['asked'], Socket[]] = [[], []]
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const connection = sockets.push(socket)
    let text = ''
    socket.on('error', () => undefined)
    socket.on('data', (piece) => {
      text += piece.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const path = text.split(' ')[1]!
        text = text.slice(end + 4)
        asked.push({ path, connection })
        answer(socket, path)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, asked, sockets }
}

function makeClient(t: Test): UpstreamClient {
  const client = new UpstreamClient((error) => t.fail(String(error)))
  t.teardown(() => client.close())
  return client
}

interface Asking {
  readonly method?: string
  readonly responseMs?: number
  readonly head?: (fetching: () => Fetching) => void
}

/** What is heard of an answer, a line for its head and each interim one, then the content and how it ended. */
function hear(client: UpstreamClient, port: number, path: string, { method = 'GET', responseMs = 30_000, head }: Asking = {}): Promise<string> {
  return new Promise((resolve) => {
    let heard = ''
    const fetching = client.fetch({ server: { secure: false, address: '127.0.0.1', port }, method, path, fields: ['Host', 'origin.test'], connectMs: 30_000, responseMs }, {
      inform: (status) => (heard += `${status} `),
      head: (status) => {
        heard += `${status} `
        head?.(() => fetching)
      },
      data: (piece) => (heard += piece.toString('latin1')),
      end: () => resolve(heard),
      trouble: ({ kind, detail }) => resolve(`${heard}${kind}: ${detail}`)
    })
  })
}

const OK = 'HTTP/1.1 200 OK\r\n'

t.test('a connection is kept over whatever has an end that is told', async (t) => {
  const answers: Readonly<Record<string, string>> = {
    '/length': `${OK}Content-Length: 2\r\n\r\nok`,
    '/nothing': `${OK}Content-Length: 0\r\n\r\n`,
    '/chunks': `${OK}Transfer-Encoding: chunked\r\n\r\n1;a=b\r\no\r\n1\r\nk\r\n0\r\nTrailer: x\r\n\r\n`,
    '/204': 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n',
    '/304': 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
    '/hints': `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}Content-Length: 2\r\n\r\nok`,
    '/bare': 'HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok'
  }
  const { port, asked } = await startServer(t, (socket, path) => void socket.write(answers[path] ?? `${OK}Content-Length: 9\r\n\r\n`))
  const client = makeClient(t)
  t.equal(await hear(client, port, '/length'), '200 ok')
  t.equal(await hear(client, port, '/nothing'), '200 ')
  t.equal(await hear(client, port, '/chunks'), '200 ok')
  t.equal(await hear(client, port, '/204'), '204 ')
  t.equal(await hear(client, port, '/304'), '304 ')
  t.equal(await hear(client, port, '/hints'), '103 200 ok')
  t.equal(await hear(client, port, '/bare'), '200 ok')
  t.equal(await hear(client, port, '/head', { method: 'HEAD' }), '200 ')
  t.same(asked.map(({ connection }) => connection), [1, 1, 1, 1, 1, 1, 1, 1])
})

t.test('a connection is not used again after an answer that does not allow it', async (t) => {
  const answers: readonly string[] = [
    `${OK}Content-Length: 2\r\nConnection: close\r\n\r\nok`,
    'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
    `${OK}Content-Length: 2\r\nConnection: keep-alive\r\nKeep-Alive: timeout=1\r\n\r\nok`,
    `${OK}Content-Length: 2\r\n\r\nokand more`,
    `${OK}Content-Length: 2\r\n\r\nok${OK}Content-Length: 5\r\n\r\nwrong`
  ]
  const { port, asked } = await startServer(t, (socket, path) => void socket.write(answers[Number(path.slice(1))]!))
  const client = makeClient(t)
  for (const at of answers.keys()) t.equal(await hear(client, port, `/${at}`), '200 ok')
  t.equal(new Set(asked.map(({ connection }) => connection)).size, answers.length)
  t.equal(await hear(client, port, '/1'), '200 ok', 'and it is heard of nobody what was said beyond an answer')
})

t.test('content without a length ends with the connection, and is told to be cut off where its length says so', async (t) => {
  const { port } = await startServer(t, (socket, path) => void socket.end(path === '/whole' ? `${OK}\r\nall of it` : `${OK}Content-Length: 20\r\n\r\nall of it`))
  const client = makeClient(t)
  t.equal(await hear(client, port, '/whole'), '200 all of it')
  t.equal(await hear(client, port, '/cut'), '200 all of itbroken: the response ended early')
})

t.test('what is no answer is refused', async (t) => {
  const answers: Readonly<Record<string, string>> = {
    'no HTTP': 'SSH-2.0-OpenSSH_9.2\r\n\r\n',
    'another version': 'HTTP/2.0 200 OK\r\n\r\n',
    'a status of two digits': 'HTTP/1.1 20 OK\r\n\r\n',
    'an LF alone': 'HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok',
    'a CR alone': `${OK}A: b\rc\r\n\r\n`,
    'a continued field': `${OK}A: b\r\n c\r\nContent-Length: 0\r\n\r\n`,
    'a space before the colon': `${OK}Content-Length : 2\r\n\r\nok`,
    'two lengths': `${OK}Content-Length: 2\r\nContent-Length: 2\r\n\r\nok`,
    'a length that is none': `${OK}Content-Length: +2\r\n\r\nok`,
    'a length and chunks': `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'a coding that was not asked for': `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    'a NUL': `${OK}A: \0\r\n\r\n`,
    'a status beyond all': 'HTTP/1.1 600 Odd\r\n\r\n',
    'another protocol': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    'a head without end': `${OK}A: ${'x'.repeat(70_000)}`
  }
  const { port, sockets } = await startServer(t, (socket, path) => void socket.write(answers[decodeURIComponent(path.slice(1))]!, 'latin1'))
  const client = makeClient(t)
  for (const name of Object.keys(answers)) t.match(await hear(client, port, `/${encodeURIComponent(name)}`), /^(unreachable|broken): /, name)
  for (const socket of sockets) if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve).destroySoon())
})

t.test('a kept connection that is closed just as it is asked is replaced, and nobody hears of it', async (t) => {
  const { port, asked } = await startServer(t, (socket, path) => {
    if (path === '/again' && asked.filter((each) => each.path === path).length === 1) socket.resetAndDestroy()
    else socket.write(`${OK}Content-Length: 2\r\n\r\nok`)
  })
  const client = makeClient(t)
  t.equal(await hear(client, port, '/first'), '200 ok')
  t.equal(await hear(client, port, '/again'), '200 ok')
  t.same(asked.map(({ connection }) => connection), [1, 1, 2])
})

t.test('a new connection that is closed at once is not replaced', async (t) => {
  const { port, asked } = await startServer(t, (socket) => void socket.destroy())
  t.match(await hear(makeClient(t), port, '/'), /^unreachable: /)
  t.equal(asked.length, 1)
})

t.test('silence ends in time, but not while what comes is not wanted yet', async (t) => {
  const { port } = await startServer(t, (socket, path) => {
    if (path === '/silent') return
    socket.write(`${OK}Content-Length: 4\r\n\r\nok`)
    if (path === '/paused') setTimeout(() => socket.write('ok'), 1500)
  })
  const client = makeClient(t)
  const rest = (fetching: () => Fetching): void => void setImmediate(() => {
    fetching().pause()
    setTimeout(() => fetching().resume(), 2500)
  })
  const [silent, half, paused] = await Promise.all([hear(client, port, '/silent', { responseMs: 50 }), hear(client, port, '/half', { responseMs: 1000 }), hear(client, port, '/paused', { responseMs: 1000, head: rest })])
  t.equal(silent, 'timeout: silent for 50 ms')
  t.equal(half, '200 oktimeout: silent for 1000 ms')
  t.equal(paused, '200 okok')
})

t.test('a head that trickles is not waited for beyond its time', async (t) => {
  const { port } = await startServer(t, (socket) => {
    const drip = (): unknown => socket.destroyed || (socket.write('x'), setImmediate(drip))
    socket.write(`${OK}X-Long: `)
    drip()
  })
  t.equal(await hear(makeClient(t), port, '/', { responseMs: 100 }), 'timeout: silent for 100 ms')
})

t.test('what is not taken is not read', async (t) => {
  const size = 32 * 1024 * 1024
  const { port, sockets } = await startServer(t, (socket) => {
    socket.write(`${OK}Content-Length: ${size}\r\n\r\n`)
    socket.write(Buffer.alloc(size, 'x'))
  })
  let length = 0
  let isPaused = false
  let fetching: Fetching | undefined
  const pause = (): void => {
    fetching!.pause()
    isPaused = true
  }
  const over = new Promise<string>((resolve) => {
    fetching = makeClient(t).fetch({ server: { secure: false, address: '127.0.0.1', port }, method: 'GET', path: '/', fields: ['Host', 'a'], connectMs: 30_000, responseMs: 30_000 }, {
      head: () => setImmediate(pause),
      data: (piece) => (length += piece.length),
      end: () => resolve('end'),
      trouble: ({ detail }) => resolve(detail)
    })
  })
  await until(() => isPaused && sockets[0]!.writableLength > 0)
  // The kernel's buffers are full when nothing has moved for a while.
  for (let before = -1; sockets[0]!.writableLength !== before; ) {
    before = sockets[0]!.writableLength
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  t.ok(sockets[0]!.writableLength > 0, 'the server waits')
  t.ok(length < size)
  fetching!.resume()
  t.equal(await over, 'end')
  t.equal(length, size)
})

const HOST = 'd1.nearcast.test'

async function startEdge(t: Test, origin: number): Promise<{ port: number; requests(): number }> {
  const port = await freePort()
  const config = configOf({ edges: { icn: { address: '127.0.0.1', city: 'Seoul', at: [37, 126] } }, cache: { 'largest-object': '1KiB' }, origins: { main: { url: `http://127.0.0.1:${origin}`, attempts: 1 } }, distributions: { d1: { behaviours: [{ path: '/*', origin: 'main' }] } } })
  const edge = await startMember({ role: 'edge', name: 'icn', config, port, clock: systemClock })
  t.teardown(() => edge.close(0))
  return { port, requests: () => edge.counters().requests }
}

/** So many who ask for one thing and whose requests have been read, each with what it has received so far. */
async function askTogether({ port, requests }: Awaited<ReturnType<typeof startEdge>>, count: number): Promise<{ heard: string; isClosed: boolean }[]> {
  const before = requests()
  const all = await Promise.all(Array.from({ length: count }, async () => {
    const each = { heard: '', isClosed: false }
    const { socket, send } = await connectClient('127.0.0.1', port)
    socket.on('data', (text: string) => (each.heard += text))
    socket.on('error', () => undefined)
    socket.on('close', () => (each.isClosed = true))
    send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
    return each
  }))
  await until(() => requests() === before + count)
  return all
}

async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; !what() && tries < 3000; tries++) await new Promise((resolve) => setTimeout(resolve, 10))
}

const HEAD = `${OK}Cache-Control: max-age=60\r\nContent-Length: 10\r\n\r\n`

t.test('all who wait have the head before the body is there, and then each piece as it comes', async (t) => {
  const { port, sockets, asked } = await startServer(t, () => undefined)
  const edge = await startEdge(t, port)
  const all = await askTogether(edge, 40)
  await until(() => asked.length > 0)
  sockets[0]!.write(HEAD)
  await until(() => all.every(({ heard }) => heard.endsWith('\r\n\r\n')))
  t.ok(all.every(({ heard }) => heard.startsWith('HTTP/1.1 200 ') && heard.endsWith('\r\n\r\n')), 'heads')
  for (const [piece, so] of [['01234', '01234'], ['56789', '0123456789']] as const) {
    sockets[0]!.write(piece)
    await until(() => all.every(({ heard }) => heard.endsWith(`\r\n\r\n${so}`)))
    t.ok(all.every(({ heard }) => heard.endsWith(`\r\n\r\n${so}`)), so)
  }
  t.equal(asked.length, 1)
  t.equal(new Set(all.map(({ heard }) => /X-Nearcast-Request-Id: (\w+)/.exec(heard)?.[1])).size, 40, 'each by its own name')
})

t.test('an answer that breaks off in the same moment in which it begins is whole for nobody, and not held', async (t) => {
  const { port, sockets, asked } = await startServer(t, () => undefined)
  const edge = await startEdge(t, port)
  const all = await askTogether(edge, 40)
  await until(() => asked.length > 0)
  sockets[0]!.end(`${HEAD}01234`)
  await until(() => all.every(({ isClosed }) => isClosed))
  t.ok(all.every(({ heard, isClosed }) => isClosed && !heard.includes('0123456789')))
  const again = await askTogether(edge, 1)
  await until(() => asked.length > 1)
  sockets[1]!.write(`${HEAD}0123456789`)
  await until(() => again[0]!.heard.endsWith('0123456789'))
  t.match(again[0]!.heard, /Miss from nearcast/)
})

t.test('an answer that turns out too large to be held in the same moment in which it begins is whole for all who wait', async (t) => {
  const { port, sockets, asked } = await startServer(t, () => undefined)
  const all = await askTogether(await startEdge(t, port), 40)
  await until(() => asked.length > 0)
  const pieces = [...'ghijklmn'].map((letter) => letter.repeat(500))
  sockets[0]!.write(`${OK}Cache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n${pieces.map((piece) => `1f4\r\n${piece}\r\n`).join('')}0\r\n\r\n`)
  await until(() => all.every(({ heard }) => heard.endsWith('\r\n0\r\n\r\n')))
  const contentOf = (heard: string): string => heard.slice(heard.indexOf('\r\n\r\n') + 4).replaceAll(/(?:\r\n)?[0-9a-f]+\r\n/g, '').trimEnd()
  t.equal(all.filter(({ heard }) => contentOf(heard) === pieces.join('')).length, 40)
  t.equal(asked.length, 1)
})
