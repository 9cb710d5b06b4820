import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect, constants, type ClientHttp2Session, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { issueCertificate } from '../../fleet/authority/index.ts'
import { attacker, FRAME, HPACK_GET } from './http2-frames.ts'
import { authority, DAY, makeSecureEdge, now, put, temporary, until, type SecureEdge } from './secure.ts'

// HTTP/2 as clients meet it, and what hostile ones come to.

const HOST = 'd1.nearcast.test'

async function makeEdge(t: Test, keys: { https?: object; http?: object } = {}): Promise<SecureEdge & { readonly folder: string; session(): ClientHttp2Session }> {
  const folder = temporary(t)
  const files = put(folder, 'one', issueCertificate(authority, [HOST], now, now + DAY))
  const edge = await makeSecureEdge(t, folder, { ...keys, https: { ...files, ...keys.https } })
  const session = (): ClientHttp2Session => {
    const made = connect(`https://${HOST}:${edge.port}`, { ca: authority.certificate, servername: HOST, lookup: (_host, options, done) => (options.all === true ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4)) })
    made.on('error', () => undefined)
    t.teardown(() => made.destroy())
    return made
  }
  return { ...edge, folder, session }
}

interface Answer {
  readonly status: number
  readonly fields: IncomingHttpHeaders
  readonly body: string
  /** Of RST_STREAM; 0 when the stream ended in order. */
  readonly code: number
}

function ask(session: ClientHttp2Session, fields: OutgoingHttpHeaders, content?: Buffer | string): Promise<Answer> {
  const stream = session.request({ ':path': '/', ...fields }, { endStream: content === undefined })
  return new Promise((resolve) => {
    let received: IncomingHttpHeaders = {}
    let body = ''
    stream.on('response', (fields) => (received = fields)).on('data', (piece: Buffer) => (body += piece.toString('latin1'))).on('error', () => undefined)
    stream.on('close', () => resolve({ status: Number(received[':status'] ?? 0), fields: received, body, code: stream.rstCode ?? 0 }))
    if (content !== undefined) stream.end(content)
  })
}

t.test('what HTTP/1.1 gets, HTTP/2 gets', async (t) => {
  const { origin, session } = await makeEdge(t)
  const client = session()
  origin.answers.set('/two', { status: 200, fields: [['Set-Cookie', 'a=1'], ['Set-Cookie', 'b=2'], ['X-List', 'one'], ['X-List', 'two'], ['Etag', '"1"'], ['Etag', '"2"']], body: 'x', chunked: true })
  const miss = await ask(client, {})
  t.match(miss, { status: 200, body: 'hello', code: 0, fields: { 'x-cache': 'Miss from nearcast', 'content-length': '5' } })
  for (const name of ['connection', 'transfer-encoding', 'keep-alive']) t.notOk(name in miss.fields, name)
  const hits = await Promise.all(Array.from({ length: 50 }, () => ask(client, {})))
  t.same(new Set(hits.map(({ body, fields }) => `${body} ${fields['x-cache']}`)), new Set(['hello Hit from nearcast']))
  t.equal(new Set(hits.map(({ fields }) => fields['x-nearcast-request-id'])).size, 50, 'ids of their own')
  t.match(await ask(client, { ':method': 'HEAD' }), { status: 200, body: '', fields: { 'content-length': '5' } })
  t.match(await ask(client, { range: 'bytes=1-2' }), { status: 206, body: 'el', fields: { 'content-range': 'bytes 1-2/5' } })
  t.match(await ask(client, { 'if-modified-since': new Date(now + DAY).toUTCString() }), { status: 304, body: '' })
  const two = await ask(client, { ':path': '/two' })
  t.same(two.fields['set-cookie'], ['a=1', 'b=2'])
  t.match(two, { status: 200, body: 'x', fields: { 'x-list': 'one, two' } })
  t.match(await ask(client, { ':authority': 'unknown.test' }), { status: 421 })
  t.match(await ask(client, { ':path': '/none' }), { status: 404 })
  for (const method of ['GET', 'HEAD', 'POST']) {
    origin.answers.set('/999', { status: 999, fields: [], body: '' })
    t.match(await ask(client, { ':path': '/999', ':method': method }), { status: 502 }, `${method}: what is no status`)
  }
  origin.answers.set('/names', { status: 200, fields: [['constructor', 'a'], ['toString', 'b']], body: '' })
  t.match(await ask(client, { ':path': '/names' }), { status: 200, fields: { constructor: 'a', tostring: 'b' } })
})

t.test('requests are read strictly', async (t) => {
  const { origin, session } = await makeEdge(t, { http: { 'header-size': '4KiB', 'url-length': '1KiB' } })
  const client = session()
  origin.answers.set('/cookies', { status: 200, fields: [['Cache-Control', 'no-store']], body: 'ok' })
  await ask(client, { ':path': '/cookies', cookie: ['a=1', 'b=2', 'c=3'], te: 'trailers', 'X-Upper': 'Value' })
  t.match(origin.asked.at(-1)?.headers, { cookie: 'a=1; b=2; c=3', host: HOST, 'x-upper': 'Value', te: undefined, 'transfer-encoding': undefined, 'content-length': undefined })
  t.match(await ask(client, { ':path': `/${'a'.repeat(2000)}` }), { status: 414 })
  t.match(await ask(client, { 'x-long': 'a'.repeat(5000) }), { status: 431 })
  const bomb = await ask(session(), { 'x-long': 'a'.repeat(20_000) })
  t.ok(bomb.status === 431 || bomb.code !== 0 || bomb.status === 0, 'far too long')
  t.match(await ask(session(), Object.fromEntries(Array.from({ length: 129 }, (_, at) => [`x-${at}`, 'a']))), { status: 431 })
  for (const path of ['/a b', 'a', '/#a', '']) {
    const { status, code } = await ask(session(), { ':path': path })
    t.ok(status === 400 || code === constants.NGHTTP2_PROTOCOL_ERROR, `the target ${path}`)
  }
  t.match(await ask(session(), { ':method': 'TRACE' }), { status: 405 })
  t.match(await ask(client, {}), { status: 200 }, 'the others are served on')
})

t.test('contents are taken up to their limit', async (t) => {
  const { origin, session } = await makeEdge(t, { http: { 'body-size': '8MiB' } })
  const client = session()
  t.match(await ask(client, { ':method': 'POST', ':path': '/none' }, 'abc'), { status: 404 })
  t.match(await ask(client, { ':method': 'POST', ':path': '/none', 'content-length': '3' }, 'def'), { status: 404 })
  t.same(origin.contents, ['abc', 'def'])
  const large = await ask(client, { ':method': 'PUT', ':path': '/none' }, Buffer.alloc(9 << 20))
  t.ok(large.status === 413 || large.code !== 0, 'too large')
  t.match(await ask(client, { ':method': 'POST', ':authority': 'unknown.test' }, Buffer.alloc(1 << 20)), { status: 421 }, 'one that nobody reads')
  t.match(await ask(client, {}), { status: 200 })
})

t.test('a content is echoed at the pace of a slow reader', async (t) => {
  const echo = createServer((request, response) => void request.pipe(response))
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    echo.closeAllConnections()
    echo.close()
  })
  const { origin, session } = await makeEdge(t, { http: { 'body-size': '64MiB' } })
  origin.relayTo((echo.address() as AddressInfo).port)
  const client = session()
  const size = 12 << 20
  const stream = client.request({ ':path': '/echo', ':method': 'POST' }, { endStream: false })
  let received = 0
  stream.on('data', (piece: Buffer) => {
    received += piece.length
    if (piece[0] !== 7) t.fail('another octet')
    stream.pause()
    setImmediate(() => stream.resume())
  })
  const block = Buffer.alloc(64 * 1024, 7)
  for (let sent = 0; sent < size; sent += block.length) if (!stream.write(block)) await new Promise((resolve) => stream.once('drain', resolve))
  stream.end()
  await new Promise((resolve) => stream.once('close', resolve))
  t.equal(received, size)
})

t.test('a body that breaks off is told, and not held', async (t) => {
  const { origin, session } = await makeEdge(t)
  const client = session()
  origin.answers.set('/cut', { status: 200, fields: [['Cache-Control', 'max-age=60']], body: 'half of it', breakAfter: 4 })
  const cut = await ask(client, { ':path': '/cut' })
  t.match(cut, { status: 200, body: 'half', code: constants.NGHTTP2_INTERNAL_ERROR })
  origin.answers.set('/chunked', { status: 200, fields: [['Cache-Control', 'max-age=60']], body: 'half of it', breakAfter: 4, chunked: true })
  t.match(await ask(client, { ':path': '/chunked' }), { status: 200, body: 'half', code: constants.NGHTTP2_INTERNAL_ERROR }, 'also where no length was told')
  origin.answers.set('/cut', { status: 200, fields: [['Cache-Control', 'max-age=60']], body: 'half of it' })
  t.match(await ask(client, { ':path': '/cut' }), { body: 'half of it', fields: { 'x-cache': 'Miss from nearcast' } })
})

t.test('the end of the server: what is under way is finished', async (t) => {
  const { origin, worker, session } = await makeEdge(t)
  let open = (): void => undefined
  origin.answers.set('/slow', { status: 200, fields: [], body: 'done', gate: new Promise<void>((resolve) => (open = resolve)) })
  const client = session()
  await ask(client, {})
  const slow = ask(client, { ':path': '/slow' })
  await until('the request at the origin', () => origin.asked.length > 1)
  let away = false
  client.on('goaway', () => (away = true))
  const closed = worker.close(20_000)
  await until('GOAWAY', () => away)
  open()
  t.match(await slow, { status: 200, body: 'done' })
  await closed
})

t.test('a connection without requests is closed after a while', async (t) => {
  const { session } = await makeEdge(t, { http: { idle: '1s' } })
  const client = session()
  let closed = false
  client.on('close', () => (closed = true))
  t.match(await ask(client, {}), { status: 200 })
  await until('the end', () => closed)
})

t.test('curl', { skip: spawnSync('curl', ['--version'], { encoding: 'utf8' }).stdout?.includes('HTTP2') === true ? false : 'needs curl with HTTP/2' }, async (t) => {
  const { folder, port, session } = await makeEdge(t)
  await ask(session(), {})
  writeFileSync(join(folder, 'ca.pem'), authority.certificate)
  for (const [option, version] of [['--http2', '2'], ['--http1.1', '1.1']] as const) {
    const { spawn } = await import('node:child_process')
    const child = spawn('curl', ['-sS', option, '--cacert', join(folder, 'ca.pem'), '--connect-to', `${HOST}:443:127.0.0.1:${port}`, '-w', ' %{http_version} %{http_code}', `https://${HOST}/`])
    let out = ''
    child.stdout.on('data', (piece: Buffer) => (out += piece.toString()))
    child.stderr.on('data', (piece: Buffer) => (out += piece.toString()))
    await new Promise((resolve) => child.once('close', resolve))
    t.equal(out, `hello ${version} 200`)
  }
})

const FLOODS: readonly (readonly [string, (at: number) => Buffer])[] = [
  ['rapid reset', (at) => Buffer.concat([FRAME(1, 0x05, 2 * at + 1, HPACK_GET(HOST)), FRAME(3, 0, 2 * at + 1, Buffer.from([0, 0, 0, 8]))])],
  ['PING', () => FRAME(6, 0, 0, Buffer.alloc(8))],
  ['SETTINGS', () => FRAME(4, 0, 0, Buffer.alloc(0))],
  ['CONTINUATION without end', (at) => (at === 0 ? FRAME(1, 1, 1, HPACK_GET(HOST)) : FRAME(9, 0, 1, Buffer.from([0x40, 1, 0x61 + (at % 26), 1, 0x62])))],
  ['empty DATA', (at) => (at === 0 ? FRAME(1, 4, 1, HPACK_GET(HOST, 'POST')) : FRAME(0, 0, 1, Buffer.alloc(0)))],
  ['WINDOW_UPDATE', () => FRAME(8, 0, 0, Buffer.from([0, 0, 0, 1]))],
  ['PRIORITY', (at) => FRAME(2, 0, 2 * at + 1, Buffer.from([0, 0, 0, 0, 1]))],
  ['frames of no known type', () => FRAME(0xbe, 0, 0, Buffer.alloc(4))]
]

for (const [name, frame] of FLOODS) {
  t.test(`a flood of ${name} ends its connection, and no other`, async (t) => {
    const { origin, port, session } = await makeEdge(t)
    const good = session()
    t.match(await ask(good, {}), { status: 200 })
    origin.answers.set('/none', { status: 200, fields: [['Cache-Control', 'no-store']], body: 'x', gate: new Promise<void>(() => undefined) })
    const hostile = await attacker(port, HOST)
    const MOST = 200_000
    let sent = 0
    while (!hostile.isClosed() && sent < MOST) {
      const frames: Buffer[] = []
      for (let many = 0; many < 500; many++) frames.push(frame(sent++))
      await hostile.send(Buffer.concat(frames))
      // A turn for the other clients of this process.
      await new Promise((resolve) => setImmediate(resolve))
    }
    await until('the end of the connection', () => hostile.isClosed())
    t.comment(`${name}: cut off after ${sent} frames at most, ${hostile.said()}`)
    t.ok(hostile.isClosed(), 'cut off')
    t.match(await ask(good, {}), { status: 200, body: 'hello' })
    hostile.close()
  })
}
