import { connect, type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { HpackDecoder } from '../../edge/http/hpack.ts'
import { issueCertificate } from '../../fleet/authority/index.ts'
import { makeRandom } from '../helpers/random.ts'
import { attacker, FRAME, HPACK_FIELDS, HPACK_GET, PREFACE } from './http2-frames.ts'
import { authority, DAY, makeSecureEdge, now, put, temporary, until, type SecureEdge } from './secure.ts'

// The frames and the HPACK of HTTP/2: what is right, cut anywhere and sent through narrow windows, and what is not.

t.setTimeout(300_000)
const HOST = 'd1.nearcast.test'
const random = makeRandom(11)

async function makeEdge(t: Test, http: object = {}): Promise<SecureEdge & { session(settings?: object): ClientHttp2Session }> {
  const folder = temporary(t)
  const edge = await makeSecureEdge(t, folder, { https: { ...put(folder, 'one', issueCertificate(authority, [HOST], now, now + DAY)), 'handshake-timeout': '5m' }, http: { idle: '10m', 'header-size': '64KiB', 'header-count': 200, ...http } })
  const session = (settings: object = {}): ClientHttp2Session => {
    const made = connect(`https://${HOST}:${edge.port}`, { settings, ca: authority.certificate, servername: HOST, lookup: (_host, options, done) => (options.all === true ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4)) })
    made.on('error', () => undefined)
    t.teardown(() => made.destroy())
    return made
  }
  return { ...edge, session }
}

async function bodyOf(session: ClientHttp2Session, fields: OutgoingHttpHeaders): Promise<string> {
  const stream = session.request({ ':path': '/', ...fields })
  let body = ''
  stream.on('data', (piece: Buffer) => (body += piece.toString('latin1'))).on('error', () => undefined)
  await new Promise((resolve) => stream.once('close', resolve))
  return body
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

function read(decoder: HpackDecoder, octets: Buffer): string | undefined {
  const fields: string[] = []
  return decoder.read(octets, (name, value) => fields.push(`${name}: ${value}`)) ? fields.join('\n') : undefined
}

t.test('HPACK: the examples of RFC 7541, C.4, and what it forbids', async (t) => {
  const decoder = new HpackDecoder()
  const own = ':method: GET\n:scheme: http\n:path: /\n:authority: www.example.com'
  t.equal(read(decoder, hex('8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff')), own)
  t.equal(read(decoder, hex('8286 84be 5886 a8eb 1064 9cbf')), `${own}\ncache-control: no-cache`)
  t.equal(read(decoder, hex('8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf')), `:method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value`)
  const wrong: Record<string, string> = {
    'index 0': '80', 'an index beyond the table': 'ff 20', 'a number without end': 'ff ff ff ff ff ff', 'a number that is cut': 'ff', 'a text that is cut': '40 05 61', 'no text': '40', 'no value': '40 01 61',
    'a table larger than was said': '3f e2 1f', 'another size in the middle': '82 20', 'padding of zeros': '41 81 00', 'padding of an octet': '41 82 1f ff', 'the end in a text': '41 84 ff ff ff ff'
  }
  for (const [name, octets] of Object.entries(wrong)) t.equal(read(new HpackDecoder(), hex(octets)), undefined, name)
  const small = new HpackDecoder()
  t.equal(read(small, hex('20 41 01 61')), ':authority: a', 'a table of nothing')
  t.equal(read(small, hex('be')), undefined, 'which holds nothing')
})

t.test('every octet in the code of Huffman, as another encoder writes it', async (t) => {
  const { origin, session } = await makeEdge(t)
  const client = session()
  origin.answers.set('/octets', { status: 200, fields: [['Cache-Control', 'no-store']], body: 'ok' })
  for (const [from, to] of [[0x21, 0x7f], [0xa1, 0x100]] as const) {
    const codes = Array.from({ length: to - from }, (_, at) => from + at)
    // What is common makes the code worth while.
    const fields = Object.fromEntries(codes.map((code) => [`x-${code}`, `a${String.fromCharCode(code)}${'a'.repeat(30)}`]))
    t.equal(await bodyOf(client, { ':path': '/octets', ...fields }), 'ok')
    const { headers } = origin.asked.at(-1)!
    t.same(codes.filter((code) => headers[`x-${code}`] !== fields[`x-${code}`]), [], `octets from ${from}`)
  }
})

t.test('bodies through narrow windows, many at once', async (t) => {
  const { origin, session } = await makeEdge(t)
  const bodies = new Map(Array.from({ length: 12 }, (_, at) => [`/${at}`, String.fromCharCode(97 + at).repeat(at * at * 1500 + at)]))
  for (const [path, body] of bodies) origin.answers.set(path, { status: 200, fields: [['Cache-Control', path === '/7' ? 'no-store' : 'max-age=60']], body, chunked: path === '/7' })
  // Much through a very narrow one takes so many frames of the client that it is a flood.
  for (const initialWindowSize of [1, 100, 20_000, 1_000_000]) {
    const client = session({ initialWindowSize })
    const paths = [...bodies.keys()].filter((path) => bodies.get(path)!.length <= Math.max(2000, initialWindowSize * 200))
    const got = await Promise.all([...paths, ...paths].map((path) => bodyOf(client, { ':path': path })))
    t.ok(got.every((body, at) => body === bodies.get(paths[at % paths.length]!)), `windows of ${initialWindowSize}`)
  }
  const closed = session({ initialWindowSize: 0 })
  const waiting = bodyOf(closed, { ':path': '/3' })
  await new Promise((resolve) => closed.once('remoteSettings', resolve))
  closed.settings({ initialWindowSize: 65_535 })
  t.equal(await waiting, bodies.get('/3'), 'a window that is opened later')
})

t.test('requests cut anywhere', async (t) => {
  const { port, session } = await makeEdge(t)
  const hostile = await attacker(port, HOST)
  const frames = Buffer.concat(Array.from({ length: 8 }, (_, at) => FRAME(1, 5, 2 * at + 1, HPACK_GET(HOST))))
  for (const octet of frames) {
    await hostile.send(Buffer.from([octet]))
    if (random.below(4) === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await until('all answers', () => hostile.answers() === 8)
  t.notOk(hostile.isClosed())
  hostile.close()
  t.equal(await bodyOf(session(), {}), 'hello')
})

/** What is wrong for the whole connection, and with which code it ends. */
const WRONG: readonly (readonly [string, number, Buffer])[] = [
  ['DATA on no stream', 1, FRAME(0, 0, 0, Buffer.alloc(1))], ['DATA on one that was not begun', 1, FRAME(0, 0, 5, Buffer.alloc(1))], ['more padding than there is', 1, FRAME(1, 0x0d, 1, Buffer.from([9, 0x82]))],
  ['a stream of even number', 1, FRAME(1, 5, 2, HPACK_GET(HOST))], ['HEADERS on no stream', 1, FRAME(1, 5, 0, HPACK_GET(HOST))], ['a head that is no HPACK', 9, FRAME(1, 5, 1, Buffer.from([0x80]))],
  ['another frame within a head', 1, Buffer.concat([FRAME(1, 1, 1, HPACK_GET(HOST)), FRAME(6, 0, 0, Buffer.alloc(8))])], ['CONTINUATION of nothing', 1, FRAME(9, 4, 1, HPACK_GET(HOST))],
  ['RST_STREAM before its stream', 1, FRAME(3, 0, 1, Buffer.alloc(4))], ['RST_STREAM of another size', 6, FRAME(3, 0, 1, Buffer.alloc(3))], ['SETTINGS on a stream', 1, FRAME(4, 0, 1, Buffer.alloc(0))],
  ['SETTINGS of another size', 6, FRAME(4, 0, 0, Buffer.alloc(5))], ['a window that is too large', 3, FRAME(4, 0, 0, Buffer.from([0, 4, 255, 255, 255, 255]))], ['frames that are too small', 1, FRAME(4, 0, 0, Buffer.from([0, 5, 0, 0, 0, 1]))],
  ['a push', 1, FRAME(5, 4, 1, Buffer.alloc(8))], ['PING of another size', 6, FRAME(6, 0, 0, Buffer.alloc(7))], ['PING on a stream', 1, FRAME(6, 0, 1, Buffer.alloc(8))], ['a window wider by nothing', 1, FRAME(8, 0, 0, Buffer.alloc(4))],
  ['a window wider than may be', 3, Buffer.concat([FRAME(8, 0, 0, Buffer.from([127, 255, 255, 255])), FRAME(8, 0, 0, Buffer.from([127, 255, 255, 255]))])], ['a frame that is too large', 6, FRAME(0, 0, 1, Buffer.alloc(16_385))],
  ['a stream that is begun anew', 5, Buffer.concat([FRAME(1, 5, 3, HPACK_GET(HOST)), FRAME(1, 5, 1, HPACK_GET(HOST))])], ['PRIORITY of another size', 6, FRAME(2, 0, 1, Buffer.alloc(4))],
  ['DATA on a stream of even number', 1, Buffer.concat([FRAME(1, 5, 3, HPACK_GET(HOST)), FRAME(0, 1, 2, Buffer.alloc(1))])], ['RST_STREAM on one', 1, Buffer.concat([FRAME(1, 5, 3, HPACK_GET(HOST)), FRAME(3, 0, 2, Buffer.alloc(4))])],
  ['a window of one', 1, Buffer.concat([FRAME(1, 5, 3, HPACK_GET(HOST)), FRAME(8, 0, 2, Buffer.from([0, 0, 0, 1]))])], ['DATA on a stream that was taken back', 5, Buffer.concat([FRAME(1, 4, 1, HPACK_GET(HOST, 'POST')), FRAME(3, 0, 1, Buffer.alloc(4)), FRAME(0, 1, 1, Buffer.alloc(1))])],
  ['trailers after the end', 5, Buffer.concat([FRAME(1, 5, 1, HPACK_GET(HOST, 'POST')), FRAME(1, 5, 1, HPACK_FIELDS([['x', 'y']]))])]
]

t.test('what is wrong ends the connection, and says why', async (t) => {
  const { port, session } = await makeEdge(t)
  for (const [name, code, octets] of WRONG) {
    const hostile = await attacker(port, HOST)
    await hostile.send(octets)
    await until(name, () => hostile.isClosed())
    t.equal(hostile.said(), `GOAWAY ${code}`, name)
    hostile.close()
  }
  t.equal(await bodyOf(session(), {}), 'hello')
})

const own = (fields: readonly (readonly [string, string])[] = [], method = 'GET', scheme = 'https'): Buffer =>
  HPACK_FIELDS([[':method', method], [':scheme', scheme], [':path', '/posted'], [':authority', HOST], ...fields])

t.test('what is wrong with one stream ends it alone, or is answered with 400', async (t) => {
  const { port, origin } = await makeEdge(t)
  origin.answers.set('/posted', { status: 200, fields: [['Cache-Control', 'no-store']], body: 'ok' })
  // Trailers come after a head that ends nothing.
  const wrong: readonly (readonly [string, number | undefined, Buffer, Buffer?])[] = [
    ['a length, and no content', 1, own([['content-length', '5']], 'POST')], ['no length, and content', 1, own([['content-length', '0']], 'POST'), FRAME(0, 1, 1, Buffer.alloc(1))],
    ['upper case in trailers', 1, own([], 'POST'), FRAME(1, 5, 1, HPACK_FIELDS([['X-T', 'y']]))], ['a line end in trailers', 1, own([], 'POST'), FRAME(1, 5, 1, HPACK_FIELDS([['x', 'a\nb']]))],
    ['CONNECT with a path', 1, own([], 'CONNECT')], ['a scheme that is none', 1, own([], 'GET', 'a\r\n')],
    ['white space before a value', undefined, own([['x', ' y']])], ['white space after it', undefined, own([['x', 'y\t']])], ['no method', undefined, own([], '')]
  ]
  for (const [name, code, head, then] of wrong) {
    const hostile = await attacker(port, HOST)
    await hostile.send(Buffer.concat([FRAME(1, then === undefined ? 5 : 4, 1, head), ...(then === undefined ? [] : [then])]))
    await until(name, () => (hostile.resets.size > 0 || hostile.heads.size > 0 || hostile.isClosed()))
    t.equal(hostile.resets.get(1), code, name)
    if (code === undefined) t.ok(hostile.heads.get(1)?.includes(0x8c), `${name}: 400`)
    await hostile.send(FRAME(1, 5, 3, own()))
    await until(`an answer after ${name}`, () => hostile.heads.has(3))
    hostile.close()
  }
  t.equal(origin.asked.filter(({ method }) => method === 'GET').length, wrong.length, 'nothing of the kind was passed on')
})

t.test('content of no octets, told by its length and ended by a frame of its own', async (t) => {
  const { port, origin } = await makeEdge(t)
  origin.answers.set('/posted', { status: 200, fields: [['Cache-Control', 'no-store']], body: 'ok' })
  const client = await attacker(port, HOST)
  const head = own([['content-length', '0']], 'POST')
  await client.send(Buffer.concat([FRAME(1, 4, 1, head), FRAME(0, 1, 1, Buffer.alloc(0)), FRAME(1, 4, 3, head), FRAME(1, 5, 3, HPACK_FIELDS([['x', 'y']]))]))
  await until('both answers', () => client.answers() === 2 || client.isClosed())
  t.equal(client.answers(), 2)
  t.equal(client.resets.size, 0)
  client.close()
})

t.test('what was under way when a stream was over does no harm', async (t) => {
  const { port, origin } = await makeEdge(t)
  origin.answers.set('/posted', { status: 200, fields: [['Cache-Control', 'max-age=60']], body: 'ok' })
  const client = await attacker(port, HOST)
  await client.send(FRAME(1, 4, 1, own()))
  await until('that nothing more is wanted', () => client.resets.get(1) === 0)
  await client.send(Buffer.concat([FRAME(0, 0, 1, Buffer.alloc(9)), FRAME(1, 5, 1, HPACK_FIELDS([['x', 'y']])), FRAME(1, 5, 3, own())]))
  await until('the next answer', () => client.heads.has(3) || client.isClosed())
  t.ok(client.heads.has(3))
  // The end has come: more than that is wrong.
  await client.send(FRAME(0, 1, 1, Buffer.alloc(0)))
  await until('the end', () => client.isClosed())
  t.equal(client.said(), 'GOAWAY 5')
})

t.test('content that is too large does not use up the window of the connection', async (t) => {
  const { port } = await makeEdge(t, { 'body-size': '1KiB' })
  const client = await attacker(port, HOST)
  let sent = 0
  for (let id = 1; id < 200 && !client.isClosed(); id += 2) {
    await until('a window', () => 65_535 + client.granted() - sent >= 16_384 || client.isClosed())
    await client.send(Buffer.concat([FRAME(1, 4, id, own([], 'POST')), FRAME(0, 1, id, Buffer.alloc(16_384))]))
    sent += 16_384
    await until('413', () => client.heads.has(id) || client.isClosed())
  }
  t.notOk(client.isClosed())
  client.close()
})

t.test('streams that a client has us end are counted like those it takes back (CVE-2025-8671)', async (t) => {
  const { port, origin } = await makeEdge(t)
  const client = await attacker(port, HOST)
  await client.send(FRAME(4, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0])))
  for (let id = 1; id < 20_000 && !client.isClosed(); id += 2) await client.send(Buffer.concat([FRAME(1, 5, id, own([['x', `${id}`]])), FRAME(8, 0, id, Buffer.alloc(4))]))
  await until('the end', () => client.isClosed())
  t.equal(client.said(), 'GOAWAY 11')
  t.ok(origin.asked.length < 5000)
})

t.test('the last answer is not cut off when the server ends, however late the client takes it', async (t) => {
  const { port, worker } = await makeEdge(t)
  // Node's types do not know of `allowHalfOpen` here.
  const options = { host: '127.0.0.1', port, ca: authority.certificate, servername: HOST, ALPNProtocols: ['h2'], allowHalfOpen: true }
  const socket = connectTls(options)
  let [ended, closed, came] = [false, false, 0]
  socket.on('data', (piece) => (came += piece.length)).on('end', () => (ended = true)).on('error', () => undefined).on('close', () => (closed = true))
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  // The window is too narrow for the answer.
  socket.write(Buffer.concat([PREFACE, FRAME(4, 0, 0, Buffer.from([0, 4, 0, 0, 0, 1])), FRAME(1, 5, 1, HPACK_FIELDS([[':method', 'GET'], [':scheme', 'https'], [':path', '/'], [':authority', HOST]]))]))
  await until('the head', () => came > 100)
  const closing = worker.close(60_000)
  socket.write(FRAME(8, 0, 1, Buffer.from([0, 0, 1, 0])))
  await until('the end of what is sent', () => ended)
  // A client that takes its time still has windows to widen; a connection that is gone would answer that with a reset, and what is under way be lost.
  for (let at = 0; at < 10; at++) {
    if (socket.writable) socket.write(FRAME(8, 0, 0, Buffer.from([0, 0, 1, 0])))
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
  t.notOk(closed)
  socket.destroy()
  await closing
})

t.test('a value is passed on to its last octet', async (t) => {
  const { origin, port } = await makeEdge(t)
  origin.answers.set('/posted', { status: 200, fields: [['X-Place', 'voil\xc3\xa0']], body: 'ok' })
  const client = await attacker(port, HOST)
  await client.send(FRAME(1, 5, 1, own()))
  await until('an answer', () => client.heads.has(1))
  t.ok(client.heads.get(1)!.includes('voil\xc3\xa0', 0, 'latin1'))
  client.close()
})

t.test('noise: nothing that is damaged does harm', async (t) => {
  const { port, session, said } = await makeEdge(t)
  const good = (at: number): Buffer[] => [
    FRAME(1, 5, 6 * at + 1, HPACK_GET(HOST)), FRAME(1, 4, 6 * at + 3, HPACK_GET(HOST, 'POST')), FRAME(0, 0, 6 * at + 3, Buffer.alloc(20, 97)), FRAME(0, 1, 6 * at + 3, Buffer.alloc(20, 98)), FRAME(8, 0, 0, Buffer.from([0, 0, 1, 0])),
    FRAME(4, 0, 0, Buffer.from([0, 4, 0, 0, random.below(3), 1])), FRAME(1, 0x2d, 6 * at + 5, Buffer.concat([Buffer.from([2, 0, 0, 0, 1, 9]), HPACK_GET(HOST), Buffer.alloc(2)])), FRAME(3, 0, 6 * at + 1, Buffer.from([0, 0, 0, 8])), FRAME(6, 0, 0, Buffer.alloc(8, at))
  ]
  let ended = 0
  for (let round = 0; round < 120; round++) {
    const hostile = await attacker(port, HOST)
    const frames = Array.from({ length: 1 + random.below(6) }, (_, at) => good(at)).flat()
    // Some are left out, sent twice or out of turn; some octets are others.
    for (let changes = random.below(4); changes > 0; changes--) frames.splice(random.below(frames.length), random.below(2), ...(random.below(2) === 0 ? [frames[random.below(frames.length)]!] : []))
    const octets = Buffer.concat(frames)
    for (let changes = random.below(6); changes > 0; changes--) octets[random.below(octets.length)] = random.below(256)
    for (let at = 0; at < octets.length && !hostile.isClosed(); ) {
      const size = 1 + random.below(octets.length)
      await hostile.send(octets.subarray(at, at + size))
      at += size
    }
    if (hostile.isClosed()) ended++
    hostile.close()
  }
  t.comment(`${ended} of 120 were closed by then`)
  t.notMatch(said(), /"level":50/, 'no fault of ours')
  t.equal(await bodyOf(session(), {}), 'hello')
})
