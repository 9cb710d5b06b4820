import fc from 'fast-check'
import t from 'tap'
import { fieldName, requestField, requestFields, RequestParser, type Refusal, type RequestHead } from '../../edge/http/index.ts'

const LIMITS = { headSize: 2048, fields: 128, urlLength: 512 }
const MEMORY = Buffer.alloc(8192)
type Read = RequestHead | Refusal

/** Everything that comes out of some pieces. */
function parse(pieces: readonly Buffer[]): Read[] {
  const parser = new RequestParser(LIMITS)
  const read: Read[] = []
  for (const piece of pieces) {
    // As connections do: every piece comes in the same memory.
    piece.copy(MEMORY)
    parser.push(MEMORY, piece.length)
    for (let head = parser.next(); head !== undefined; head = parser.next()) {
      read.push(head)
      if (!('method' in head)) return read
    }
    parser.keep()
  }
  return read
}

/** What matters of a result: heads by their content, refusals by their status. */
const shown = (read: readonly Read[]): unknown[] =>
  read.map((head) => ('method' in head ? { ...head, text: undefined, spans: undefined, fields: requestFields(head) } : head.status))

const pieceBy = (bytes: Buffer, size: number): Buffer[] => Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size))

const HOST = 'Host: a.test\r\n'
const get = (target: string, fields = HOST, version = 'HTTP/1.1'): string => `GET ${target} ${version}\r\n${fields}\r\n`

const valid: Record<string, { text: string; want: Partial<RequestHead>[] }> = {
  plain: { text: get('/'), want: [{ method: 'GET', target: '/', host: 'a.test', minor: 1, keepAlive: true, content: 0 }] },
  'host with port, capitals and final dot': { text: get('/', 'hOsT: \t WWW.A.Test.:8080 \t\r\n'), want: [{ host: 'www.a.test' }] },
  'IPv6 host': { text: get('/', 'Host: [2001:DB8::1]:80\r\n'), want: [{ host: '[2001:db8::1]' }] },
  'absolute form goes before Host': { text: get('HTTP://B.test:80/x?y'), want: [{ host: 'b.test', target: '/x?y' }] },
  'absolute form without a path': { text: get('http://b.test?y'), want: [{ host: 'b.test', target: '/?y' }] },
  'asterisk form': { text: `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, want: [{ method: 'OPTIONS', target: '*' }] },
  'authority form': { text: `CONNECT b.test:443 HTTP/1.1\r\n${HOST}\r\n`, want: [{ method: 'CONNECT' }] },
  'pipelined, with an empty line between': { text: `${get('/1')}\r\n${get('/2')}`, want: [{ target: '/1' }, { target: '/2' }] },
  'closing': { text: get('/', `${HOST}Connection: foo, Close\r\n`), want: [{ keepAlive: false }] },
  'HTTP/1.0 without Host': { text: get('/', '', 'HTTP/1.0'), want: [{ minor: 0, host: '', keepAlive: false }] },
  'HTTP/1.0 that stays': { text: get('/', `${HOST}Connection: keep-alive\r\n`, 'HTTP/1.0'), want: [{ minor: 0, keepAlive: true }] },
  'a later minor version': { text: get('/', HOST, 'HTTP/1.9'), want: [{ minor: 1 }] },
  'an empty body': { text: get('/', `${HOST}Content-Length: 0\r\n`), want: [{ content: 0, keepAlive: true }] },
  'a body': { text: get('/', `${HOST}Content-Length: 5\r\n`), want: [{ content: 5, keepAlive: true }] },
  'a chunked body': { text: get('/', `${HOST}Transfer-Encoding: Chunked\r\n`), want: [{ content: 'chunked', keepAlive: true }] },
  'an empty value and obs-text': { text: get('/', `${HOST}X:\r\nY: \u00e9\r\n`), want: [{ host: 'a.test' }] }
}

const invalid: Record<string, [text: string, status: Refusal['status']]> = {
  'no Host': [get('/', ''), 400],
  'two Hosts': [get('/', HOST + HOST), 400],
  'an empty Host': [get('/', 'Host:\r\n'), 400],
  'a Host with a path': [get('/', 'Host: a/b\r\n'), 400],
  'a Host with a user': [get('/', 'Host: u@a\r\n'), 400],
  'a Host list': [get('/', 'Host: a b\r\n'), 400],
  'Content-Length twice': [get('/', `${HOST}Content-Length: 5\r\nContent-Length: 5\r\n`), 400],
  'a list of Content-Lengths': [get('/', `${HOST}Content-Length: 5, 5\r\n`), 400],
  'a signed Content-Length': [get('/', `${HOST}Content-Length: +5\r\n`), 400],
  'a hexadecimal Content-Length': [get('/', `${HOST}Content-Length: 0x5\r\n`), 400],
  'an empty Content-Length': [get('/', `${HOST}Content-Length:\r\n`), 400],
  'both lengths': [get('/', `${HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n`), 400],
  'both lengths, the other way': [get('/', `${HOST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n`), 400],
  'chunked twice': [get('/', `${HOST}Transfer-Encoding: chunked, chunked\r\n`), 400],
  'Transfer-Encoding twice': [get('/', `${HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n`), 400],
  'chunked is not last': [get('/', `${HOST}Transfer-Encoding: chunked, gzip\r\n`), 400],
  'a coding with a vertical tab': [get('/', `${HOST}Transfer-Encoding: \x0bchunked\r\n`), 400],
  'chunked in HTTP/1.0': [get('/', `${HOST}Transfer-Encoding: chunked\r\n`, 'HTTP/1.0'), 400],
  'an unknown coding': [get('/', `${HOST}Transfer-Encoding: gzip, chunked\r\n`), 501],
  'a space before the colon': [get('/', 'Host : a.test\r\n'), 400],
  'a folded field': [get('/', `${HOST}X: a\r\n b\r\n`), 400],
  'a first field that is folded': [get('/', ` X: a\r\n${HOST}`), 400],
  'a field without a name': [get('/', `${HOST}: a\r\n`), 400],
  'a field without a colon': [get('/', `${HOST}nonsense\r\n`), 400],
  'a NUL in a value': [get('/', `${HOST}X: a\0b\r\n`), 400],
  'a bare CR in a value': [get('/', `${HOST}X: a\rb\r\n`), 400],
  'a bare LF after the request line': ['GET / HTTP/1.1\nHost: a.test\r\n\r\n', 400],
  'a bare LF after a field': ['GET / HTTP/1.1\r\nHost: a.test\n\r\n', 400],
  'a bare LF at the end': ['GET / HTTP/1.1\r\nHost: a.test\r\n\n', 400],
  'two spaces in the request line': [`GET  / HTTP/1.1\r\n${HOST}\r\n`, 400],
  'a space at the end of the request line': [`GET / HTTP/1.1 \r\n${HOST}\r\n`, 400],
  'a tab in the request line': [`GET\t/ HTTP/1.1\r\n${HOST}\r\n`, 400],
  'no version': ['GET /\r\n\r\n', 400],
  'a small version': [get('/', HOST, 'http/1.1'), 400],
  'another major version': [get('/', HOST, 'HTTP/2.0'), 505],
  'the preface of HTTP/2': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
  'a fragment': [get('/a#b'), 400],
  'a target of other octets': [get('/\u00e9'), 400],
  'a relative target': [get('a'), 400],
  'an asterisk for GET': [get('*'), 400],
  'another scheme': [get('ftp://b.test/'), 400],
  'an absolute form with a user': [get('http://u@b.test/'), 400],
  'an absolute form without a host': [get('http:///x'), 400],
  'three empty lines': ['\r\n\r\n\r\nGET / HTTP/1.1\r\n', 400],
  'TLS': ['\x16\x03\x01\x02\0\x01\0', 400],
  'a long target': [get(`/${'a'.repeat(600)}`), 414],
  'a long target that never ends': [`GET /${'a'.repeat(600)}`, 414],
  'a large head': [get('/', `${HOST}X: ${'a'.repeat(3000)}\r\n`), 431],
  'a large head that never ends': [`GET / HTTP/1.1\r\nX: ${'a'.repeat(3000)}`, 431],
  'many fields': [get('/', HOST + 'X:a\r\n'.repeat(200)), 431],
  'a long method': ['A'.repeat(600), 501]
}

t.test('requests that are understood', async (t) => {
  for (const [name, { text, want }] of Object.entries(valid)) {
    const read = parse([Buffer.from(text, 'latin1')])
    t.equal(read.length, want.length, name)
    want.forEach((expected, at) => t.match(read[at], expected, name))
  }
})

t.test('requests that are refused', async (t) => {
  for (const [name, [text, status]] of Object.entries(invalid)) {
    const read = parse([Buffer.from(text, 'latin1')])
    t.match(read.at(-1), { status }, name)
  }
})

t.test('it makes no difference where the octets are cut', async (t) => {
  const texts = [...Object.values(valid).map(({ text }) => text), ...Object.values(invalid).map(([text]) => text)]
  for (const text of texts) {
    const bytes = Buffer.from(text, 'latin1')
    const whole = shown(parse([bytes]))
    const name = JSON.stringify(text.slice(0, 60))
    let same = true
    for (let cut = 1; cut < bytes.length; cut++) same &&= sameAs(shown(parse([bytes.subarray(0, cut), bytes.subarray(cut)])), whole)
    t.ok(same, `${name} in two pieces`)
    t.ok(sameAs(shown(parse(pieceBy(bytes, 1))), whole), `${name} octet by octet`)
  }
})

const sameAs = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)

t.test('the fields as they came', async (t) => {
  const [head] = parse([Buffer.from(get('/', `${HOST}Accept: a\r\nACCEPT:  b \r\nX-Empty:\r\n`), 'latin1')])
  if (head === undefined || !('method' in head)) return void t.fail('a request was refused')
  t.equal(requestField(head, fieldName('accept')), 'a, b')
  t.equal(requestField(head, fieldName('x-empty')), '')
  t.equal(requestField(head, fieldName('x-none')), undefined)
  t.same(requestFields(head), ['Host', 'a.test', 'Accept', 'a', 'ACCEPT', 'b', 'X-Empty', ''])
})

t.test('whatever comes, it neither throws nor depends on the cuts, and holds a bounded part', async (t) => {
  const samples = Object.values(valid).map(({ text }) => text).concat(Object.values(invalid).map(([text]) => text))
  const sample = fc.constantFrom(...samples).map((text) => Buffer.from(text, 'latin1'))
  const edits = fc.array(fc.record({ at: fc.nat(300), octet: fc.constantFrom(0, 9, 10, 13, 32, 58, 44, 47, 65, 255) }), { maxLength: 3 })
  const edited = fc.tuple(fc.array(sample, { minLength: 1, maxLength: 3 }), edits).map(([parts, edits]) => {
    const bytes = Buffer.concat(parts)
    for (const { at, octet } of edits) bytes[at % bytes.length] = octet
    return bytes
  })
  const noise = fc.uint8Array({ minLength: 1, maxLength: 400 }).map((bytes) => Buffer.from(bytes))
  fc.assert(
    fc.property(fc.oneof(edited, noise), fc.integer({ min: 1, max: 40 }), (bytes, size) => {
      const one = parse([bytes])
      const many = parse(pieceBy(bytes, size))
      return sameAs(shown(one), shown(many))
    }),
    { numRuns: 2000 }
  )
  const parser = new RequestParser(LIMITS)
  let read: Read | undefined
  let pushed = 0
  parser.push(Buffer.from('GET / HTTP/1.1\r\nX:'), 18)
  for (; read === undefined && pushed < 100_000; pushed += 7) {
    parser.push(Buffer.from('abcdefg'), 7)
    read = parser.next()
    parser.keep()
  }
  t.ok(pushed < LIMITS.headSize + 100, `gave up after ${pushed} octets`)
})
