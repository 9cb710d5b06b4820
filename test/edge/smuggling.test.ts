import { createServer, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { systemClock } from '../../core/clock.ts'
import { RequestParser } from '../../edge/http/index.ts'
import { BodyReader } from '../../edge/http/body.ts'
import { connectClient } from './client.ts'
import { configOf, startMember } from './workers.ts'

// Requests that two recipients could understand differently (RFC 9112 §11.2): the edge refuses them, or passes them on in one
// reading. The origin behind it writes down every octet, which a strict reader then takes apart.

interface Recorder {
  readonly port: number
  /** The octets of each connection. */
  readonly received: Buffer[]
}

async function startRecorder(t: Test): Promise<Recorder> {
  const received: Buffer[] = []
  const server = createServer((socket) => {
    const at = received.push(Buffer.alloc(0)) - 1
    socket.on('error', () => undefined)
    socket.on('data', (piece: Buffer) => {
      received[at] = Buffer.concat([received[at]!, piece])
      if (readAll(received[at]!) !== undefined) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\nCache-Control: no-store\r\n\r\nok')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return { port: (server.address() as AddressInfo).port, received }
}

/** The one request that some octets are, target and content; undefined while it is not whole, and with what follows it, if anything does. */
function readAll(octets: Buffer): { target: string; content: string; rest: string } | undefined {
  const parser = new RequestParser({ headSize: 65_536, fields: 200, urlLength: 16_384 })
  parser.push(octets, octets.length)
  const head = parser.next()
  if (head === undefined || !('method' in head)) return undefined
  let content = ''
  let isWhole = head.content === 0
  const rest = Buffer.from(parser.rest())
  const reader = new BodyReader(head.content, 1 << 30, { data: (piece) => (content += piece.toString('latin1')), end: () => (isWhole = true), broken: () => undefined })
  const taken = isWhole ? 0 : reader.take(rest)
  return isWhole ? { target: head.target, content, rest: rest.toString('latin1', taken) } : undefined
}

async function makeEdge(t: Test): Promise<{ port: number; origin: Recorder }> {
  const origin = await startRecorder(t)
  const config = configOf({
    edges: { icn: { address: '127.0.0.1', city: 'Seoul', at: [37, 126] } },
    origins: { main: { url: `http://127.0.0.1:${origin.port}` } },
    distributions: { d1: { behaviours: [{ path: '/*', origin: 'main' }] } }
  })
  const worker = await startMember({ role: 'edge', name: 'icn', config, port: 0, clock: systemClock })
  t.teardown(() => worker.close(0))
  return { port: Number(worker.listening[0]!.split(':').at(-1)), origin }
}

const EVIL = 'GET /evil HTTP/1.1\r\nHost: d1.nearcast.test\r\n\r\n'
const post = (fields: string, content: string): string => `POST /good HTTP/1.1\r\nHost: d1.nearcast.test\r\n${fields}\r\n${content}`
const chunk = (content: string): string => `${content.length.toString(16)}\r\n${content}\r\n`
const TE = 'Transfer-Encoding: chunked\r\n'

/** What must be refused, with an answer and the end of the connection. */
const REFUSED: Record<string, string> = {
  'CL.TE': post(`Content-Length: ${5 + EVIL.length}\r\n${TE}`, `0\r\n\r\n${EVIL}`),
  'TE.CL': post(`${TE}Content-Length: 4\r\n`, `${chunk(EVIL)}0\r\n\r\n`),
  'TE.TE, the second unknown': post(`${TE}Transfer-Encoding: x\r\n`, `0\r\n\r\n${EVIL}`),
  'TE.TE, the first unknown': post(`Transfer-Encoding: x\r\n${TE}`, `0\r\n\r\n${EVIL}`),
  'chunked twice': post('Transfer-Encoding: chunked, chunked\r\n', `0\r\n\r\n${EVIL}`),
  'chunked not last': post('Transfer-Encoding: chunked, identity\r\n', `0\r\n\r\n${EVIL}`),
  'identity': post('Transfer-Encoding: identity\r\nContent-Length: 3\r\n', `abc${EVIL}`),
  'xchunked': post('Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${EVIL}`),
  'chunked in quotes': post('Transfer-Encoding: "chunked"\r\n', `0\r\n\r\n${EVIL}`),
  'chunked with a vertical tab': post('Transfer-Encoding:\x0bchunked\r\n', `0\r\n\r\n${EVIL}`),
  'chunked with a parameter': post('Transfer-Encoding: chunked;q=1\r\n', `0\r\n\r\n${EVIL}`),
  'a space before the colon': post(`Transfer-Encoding : chunked\r\nContent-Length: 3\r\n`, `abc${EVIL}`),
  'a tab before the colon': post(`Content-Length\t: 3\r\n`, `abc${EVIL}`),
  'obs-fold': post('Transfer-Encoding:\r\n chunked\r\n', `0\r\n\r\n${EVIL}`),
  'obs-fold of another field': post('X: a\r\n Content-Length: 3\r\n', `abc${EVIL}`),
  'a bare LF ends a field': post(`X: a\nContent-Length: 3\r\n`, `abc${EVIL}`),
  'a bare CR in a value': post('X: a\rContent-Length: 3\r\n', `abc${EVIL}`),
  'NUL in a value': post('X: a\0b\r\nContent-Length: 3\r\n', `abc${EVIL}`),
  'two lengths': post('Content-Length: 3\r\nContent-Length: 4\r\n', `abc${EVIL}`),
  'two lengths, the same': post('Content-Length: 3\r\nContent-Length: 3\r\n', `abc${EVIL}`),
  'a list of lengths': post('Content-Length: 3, 3\r\n', `abc${EVIL}`),
  'a signed length': post('Content-Length: +3\r\n', `abc${EVIL}`),
  'a negative length': post('Content-Length: -3\r\n', `abc${EVIL}`),
  'a hexadecimal length': post('Content-Length: 0x3\r\n', `abc${EVIL}`),
  'an empty length': post('Content-Length: \r\n', `abc${EVIL}`),
  'a length beyond numbers': post('Content-Length: 99999999999999999999\r\n', `abc${EVIL}`),
  'HTTP/1.0 with chunks': post(TE, `0\r\n\r\n${EVIL}`).replace('HTTP/1.1', 'HTTP/1.0'),
  'GET with a content': `GET /good HTTP/1.1\r\nHost: d1.nearcast.test\r\nContent-Length: ${EVIL.length}\r\n\r\n${EVIL}`,
  'two Hosts': post('Host: d2.nearcast.test\r\nContent-Length: 3\r\n', `abc${EVIL}`),
  'a chunk size with a sign': post(TE, `+3\r\nabc\r\n0\r\n\r\n${EVIL}`),
  'a chunk size with 0x': post(TE, `0x3\r\nabc\r\n0\r\n\r\n${EVIL}`),
  'a chunk size beyond numbers': post(TE, `10000000000000003\r\nabc\r\n0\r\n\r\n${EVIL}`),
  'a space before a chunk size': post(TE, ` 3\r\nabc\r\n0\r\n\r\n${EVIL}`),
  'a bare LF after a chunk size': post(TE, `3\nabc\r\n0\r\n\r\n${EVIL}`),
  'a bare LF in a chunk extension': post(TE, `3;a\nxx\r\nabc\r\n0\r\n\r\n${EVIL}`),
  'a bare CR in a chunk extension': post(TE, `3;a\rxx\r\nabc\r\n0\r\n\r\n${EVIL}`),
  'a chunk longer than its size': post(TE, `3\r\nabcd\r\n0\r\n\r\n${EVIL}`),
  'no CRLF after a chunk': post(TE, `3\r\nabc0\r\n\r\n${EVIL}`),
  'a last chunk that ends in LF': post(TE, `3\r\nabc\r\n0\n\n${EVIL}`),
  'a trailer that is no field': post(TE, `0\r\nnothing\r\n\r\n${EVIL}`)
}

/** What is passed on in one reading, and then the request behind it. */
const PASSED: Record<string, [text: string, content: string]> = {
  'a plain content': [post(`Content-Length: ${EVIL.length}\r\n`, EVIL), EVIL],
  'chunks that hold a request': [post(TE, `${chunk(EVIL)}0\r\n\r\n`), EVIL],
  'extensions': [post(TE, `3;a="b;c";d\r\nabc\r\n0;x\r\n\r\n`), 'abc'],
  'leading zeros of a size': [post(TE, '0003\r\nabc\r\n000\r\n\r\n'), 'abc'],
  'trailers that would be fields of a request': [post(TE, '3\r\nabc\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n'), 'abc'],
  'Connection names Content-Length': [post('Connection: content-length, host\r\nContent-Length: 3\r\n', 'abc'), 'abc'],
  'Connection names Transfer-Encoding': [post(`Connection: transfer-encoding\r\n${TE}`, '3\r\nabc\r\n0\r\n\r\n'), 'abc'],
  'names that others read as Transfer-Encoding': [post('Transfer_Encoding: chunked\r\nX-Transfer-Encoding: chunked\r\nContent-Length: 3\r\n', 'abc'), 'abc']
}

t.test('what is ambiguous is refused, and nothing of it reaches the origin as a request of its own', async (t) => {
  const { port, origin } = await makeEdge(t)
  for (const [name, text] of Object.entries(REFUSED)) {
    const before = origin.received.length
    const client = await connectClient('127.0.0.1', port)
    client.send(text)
    const { status } = await client.reply()
    t.ok(status === 400 || status === 501, `${name}: ${status}`)
    await client.ended
    for (const octets of origin.received.slice(before)) {
      // A content that turned out wrong on its way was begun; it was never ended, so that it is no request.
      t.equal(readAll(octets), undefined, `${name}: nothing whole at the origin`)
      t.match(octets.toString('latin1'), /^(POST \/good |$)/, `${name}: nothing else at the origin`)
    }
  }
})

t.test('what is passed on has one reading', async (t) => {
  const { port, origin } = await makeEdge(t)
  for (const [name, [text, content]] of Object.entries(PASSED)) {
    const client = await connectClient('127.0.0.1', port)
    client.send(`${text}GET /after HTTP/1.1\r\nHost: d1.nearcast.test\r\n\r\n`)
    t.equal((await client.reply()).status, 200, name)
    t.equal((await client.reply()).status, 200, `${name}, and the one behind it`)
    const [first, second] = origin.received.splice(0).map((octets) => readAll(octets))
    t.match([first, second], [{ target: '/good', content, rest: '' }, { target: '/after', content: '', rest: '' }], name)
    client.close()
  }
})

t.test('it is all the same wherever it is cut', async (t) => {
  const { port, origin } = await makeEdge(t)
  const cases = [[REFUSED['TE.TE, the second unknown']!, 0], [REFUSED['a bare LF in a chunk extension']!, 0], [PASSED['extensions']![0], 200]] as const
  for (const [text, status] of cases) {
    const outcomes = new Set<number>()
    for (let cut = 1; cut < text.length; cut++) {
      const client = await connectClient('127.0.0.1', port)
      client.socket.setNoDelay(true)
      client.send(text.slice(0, cut))
      await new Promise((resolve) => setImmediate(resolve))
      client.send(text.slice(cut))
      outcomes.add((await client.reply()).status)
      client.close()
    }
    t.same([...outcomes], [status === 0 ? 400 : status])
  }
  t.notOk(origin.received.some((octets) => octets.toString('latin1').startsWith('GET /evil')), 'nothing was smuggled')
})
