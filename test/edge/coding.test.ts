import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import zlib from 'node:zlib'
import t, { type Test } from 'tap'
import { decode, encode, OFFERED } from '../../edge/coding/index.ts'
import { acceptedCodings } from '../../edge/message/index.ts'
import { makeManualClock } from '../helpers/manual-clock.ts'
import { connectClient, type Reply } from './client.ts'
import { configOf, connectedClock, startMember } from './workers.ts'

const TEXT = 'What is said often is said in few octets. '.repeat(500)
const gzipped = zlib.gzipSync(TEXT).toString('latin1')

interface Play {
  ask(target: string, ...lines: string[]): Promise<Reply>
  turn(ms: number): Promise<void>
  /** Fields of the requests that the origin saw. */
  readonly saw: string[]
}

/** An edge that compresses, before an origin that answers by its path. */
async function start(t: Test): Promise<Play> {
  const saw: string[] = []
  const origin = createServer((request, response) => {
    saw.push(`${request.url} ${request.headers['accept-encoding']}`)
    const fields = { 'Cache-Control': 'max-age=60', ETag: '"1"', 'Content-Type': 'text/plain', ...(request.url === '/keep' && { 'Cache-Control': 'max-age=60, no-transform' }), ...(request.url === '/image' && { 'Content-Type': 'image/png' }) }
    if (request.headers['if-none-match'] === '"1"') return void response.writeHead(304, fields).end()
    if (request.url === '/gzip') return void response.writeHead(200, { ...fields, 'Content-Encoding': 'gzip' }).end(gzipped, 'latin1')
    if (request.url?.startsWith('/alone') === true) return void response.writeHead(200, { ...fields, 'Cache-Control': 'max-age=60, no-cache="set-cookie"', 'Set-Cookie': `asked=${saw.length}`, ...(request.headers['x-language'] !== undefined && { Vary: 'X-Language' }), 'Content-Encoding': 'gzip' }).end(gzipped, 'latin1')
    if (request.url === '/bomb') return void response.writeHead(200, { ...fields, 'Content-Encoding': 'gzip' }).end(zlib.gzipSync(Buffer.alloc(30_000_000)))
    response.writeHead(200, fields).end(request.url === '/small' ? 'small' : TEXT)
  })
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
  const time = makeManualClock(Date.UTC(2026, 0, 1))
  const config = configOf({
    edges: { icn: { address: '127.0.0.1', city: 'Seoul', at: [37, 126] } },
    origins: { main: { url: `http://127.0.0.1:${(origin.address() as AddressInfo).port}` } },
    distributions: { site: { behaviours: [{ path: '/*', origin: 'main', compress: true }] } }
  })
  const edge = await startMember({ role: 'edge', name: 'icn', config, port: 0, clock: connectedClock(time) })
  const client = await connectClient('127.0.0.1', Number(edge.listening[0]!.split(':').at(-1)))
  t.teardown(async () => {
    client.close()
    await edge.close(0)
    origin.closeAllConnections()
    origin.close()
  })
  const ask = (target: string, ...lines: string[]): Promise<Reply> => {
    client.send(`GET ${target} HTTP/1.1\r\n${['Host: site.nearcast.test', ...lines].join('\r\n')}\r\n\r\n`)
    return client.reply()
  }
  return { ask, turn: time.turn, saw }
}

/** Asks again until the body is compressed. */
async function askCoded(ask: Play['ask'], ...asked: [string, ...string[]]): Promise<Reply> {
  for (let left = 300; left > 0; left--) {
    const reply = await ask(...asked)
    if (reply.fields.has('content-encoding')) return reply
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`${asked.join(' ')} is not compressed`)
}

const textOf = (reply: Reply, decompress: (body: Buffer) => Buffer): string => decompress(Buffer.from(reply.body, 'latin1')).toString()

t.test('what is held is compressed once for each coding, weakly tagged, and told apart by Accept-Encoding', async (t) => {
  const { ask, turn, saw } = await start(t)
  const first = await ask('/a', 'Accept-Encoding: gzip, deflate, br;q=0')
  t.same([first.body, first.fields.get('vary'), first.fields.get('etag')], [TEXT, 'Accept-Encoding', '"1"'])
  const gzip = await askCoded(ask, '/a', 'Accept-Encoding: gzip, deflate, br;q=0')
  t.equal(textOf(gzip, zlib.gunzipSync), TEXT)
  t.same(['content-encoding', 'etag', 'vary', 'x-cache'].map((name) => gzip.fields.get(name)), ['gzip', 'W/"1"', 'Accept-Encoding', 'Hit from nearcast'])
  const br = await askCoded(ask, '/a', 'Accept-Encoding: zstd;q=0.5, br, gzip')
  t.equal(textOf(br, zlib.brotliDecompressSync), TEXT)
  for (const tag of ['"1"', 'W/"1"']) t.equal((await ask('/a', 'Accept-Encoding: br', `If-None-Match: ${tag}`)).status, 304, tag)
  const part = await ask('/a', 'Accept-Encoding: br', 'Range: bytes=0-3')
  t.same([part.status, part.body, part.fields.get('content-encoding'), part.fields.get('etag')], [206, 'What', undefined, '"1"'])
  const resumed = await ask('/a', 'Accept-Encoding: br', 'Range: bytes=0-3', 'If-Range: W/"1"')
  t.same([resumed.status, resumed.body.length], [200, TEXT.length], 'a weak tag resumes nothing')
  t.equal((await ask('/a')).body, TEXT)
  t.same(saw, ['/a gzip'])
  await turn(61_000)
  const after = await ask('/a', 'Accept-Encoding: br')
  t.same([after.fields.get('content-encoding'), after.fields.get('x-cache')], ['br', 'RefreshHit from nearcast'], 'its tag says that it is the same still')
})

t.test('what is small, no text, or not to be changed is left as it is', async (t) => {
  const { ask } = await start(t)
  for (const target of ['/small', '/image', '/keep']) {
    for (let time = 0; time < 3; time++) {
      const reply = await ask(target, 'Accept-Encoding: br, gzip')
      t.equal(reply.fields.get('content-encoding'), undefined, target)
      t.equal(reply.fields.get('etag'), '"1"')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
})

t.test('what the origin has compressed is decompressed for those who cannot take it, within bounds', async (t) => {
  const { ask, saw } = await start(t)
  const plain = await ask('/gzip')
  t.same([plain.body === TEXT, plain.fields.get('content-encoding'), plain.fields.get('etag'), plain.fields.get('vary')], [true, undefined, 'W/"1"', 'Accept-Encoding'])
  t.equal((await ask('/gzip', 'Accept-Encoding: br')).body, TEXT, 'from what is held')
  const coded = await ask('/gzip', 'Accept-Encoding: gzip')
  t.same([coded.body === gzipped, coded.fields.get('etag')], [true, '"1"'], 'and as it came for the others')
  const bomb = await ask('/bomb')
  t.same([bomb.status, bomb.fields.get('content-encoding'), bomb.body.length < 100_000], [200, 'gzip', true])
  t.same(saw, ['/gzip undefined', '/bomb undefined'])
})

t.test('what is for one viewer alone is not held with what was decompressed for that viewer', async (t) => {
  const { ask, saw } = await start(t)
  for (const lines of [[], ['X-Language: ko']]) {
    const first = await ask(`/alone?${lines.length}`, ...lines)
    t.same([first.body === TEXT, first.fields.get('content-encoding'), first.fields.get('set-cookie')], [true, undefined, `asked=${saw.length}`])
    for (const more of [[], ['Accept-Encoding: gzip']]) {
      const other = await ask(`/alone?${lines.length}`, ...lines, ...more)
      t.same([other.fields.get('x-cache'), other.fields.get('set-cookie')], ['Hit from nearcast', undefined], [...lines, ...more].join())
    }
  }
  t.equal(saw.length, 2)
})

t.test('codings come back as they went, and nothing grows beyond its bound', async (t) => {
  const body = Buffer.from(TEXT)
  for (const coding of OFFERED) {
    const coded = await encode(coding, body)
    t.ok(coded !== undefined && coded.length < 1000, `${coding} ${coded?.length}`)
    t.same(await decode(coding, coded!, body.length), body)
    t.equal(await decode(coding, coded!, body.length - 1), undefined)
    t.equal(await decode(coding, body, 1_000_000), undefined, 'what is not compressed at all')
  }
  t.equal(await encode('gzip', Buffer.from('x')), undefined, 'no smaller')
  t.equal(await decode('gzip', zlib.gzipSync(Buffer.alloc(50_000_000)), 100_000_000), undefined, 'a thousand times its size')
  const accepted: [string | undefined, string][] = [[undefined, ''], ['', ''], ['gzip', 'gzip'], ['GZip;q=0.001', 'gzip'], ['gzip;q=0, *', 'br,zstd'], ['*;q=0, br', 'br'], ['identity', ''], ['x-gzip', 'gzip'], ['br;q=x', '']]
  for (const [value, codings] of accepted) t.equal(acceptedCodings(value).join(), codings, value ?? 'none')
})
