import fc from 'fast-check'
import t from 'tap'
import { Fill, judge, LAWFUL, primaryKey, rangeHolds, variantKey, wantedRange, type Reader, type Varying } from '../../edge/cache/index.ts'
import { matchesPath } from '../../edge/sites.ts'

t.test('a body that is not kept is received no faster than its slowest reader reads', async (t) => {
  const flow = { on: true, pause: () => void (flow.on = false), resume: () => void (flow.on = true) }
  const fill = new Fill({ kept: false, flow })
  const readers: Reader[] = [1, 2].map(() => ({ next: 0, at: 0, wake: () => undefined }))
  for (const reader of readers) fill.attach(reader)
  let sent = 0
  for (; flow.on && sent < 1000; sent++) fill.push(Buffer.alloc(64 * 1024, sent))
  t.ok(sent < 20, `stopped after ${sent} pieces`)
  while (fill.read(readers[0]!) !== undefined);
  t.notOk(flow.on, 'the other has not read yet')
  for (let at = 0; at < sent; at++) t.equal(fill.read(readers[1]!)?.[0], at)
  t.ok(flow.on)
  t.equal(fill.size, 0)
  fill.push(Buffer.from('a'))
  fill.detach(readers[1]!)
  t.equal(fill.size, 1)
  fill.detach(readers[0]!)
  t.equal(fill.size, 0, 'nobody reads any more')
})

t.test('a verdict never says fresh for longer than the response does', async (t) => {
  const value = fc.oneof(fc.nat(100).map(String), fc.constantFrom('', 'x', '-1', '"5"', '1.5', '99999999999999999999'))
  const directive = fc.oneof(fc.constantFrom('no-store', 'private', 'no-cache', 'public', 'must-revalidate', '"', 'max-age', 'x="a,b"'), value.map((text) => `max-age=${text}`), value.map((text) => `s-maxage=${text}`))
  fc.assert(
    fc.property(fc.array(directive, { maxLength: 4 }), fc.nat(120), fc.boolean(), (directives, age, authorized) => {
      // Between two quotes it is not a directive any more.
      fc.pre(directives.filter((directive) => directive === '"').length < 2)
      const text = directives.join(', ')
      const received = { status: 200, fields: ['Cache-Control', text, 'Age', String(age), 'ETag', '"1"'], authorized, requestedAt: 0, receivedAt: 0, times: LAWFUL, defaultIfError: 0 }
      const verdict = judge(received)
      if (verdict.kind === 'refused') return true
      if (directives.includes('no-store') || directives.includes('private')) return false
      return !verdict.sharable || (verdict.freshness.lifetime > age * 1000 && !directives.includes('no-cache'))
    })
  )
  t.match(judge({ status: 200, fields: ['Cache-Control', 'max-age=60, ", no-store'], authorized: false, requestedAt: 0, receivedAt: 0, times: LAWFUL, defaultIfError: 0 }), { reason: 'no-store' })
  t.equal(judge({ status: 200, fields: ['Cache-Control', 'max-age=99999999999999999999'], authorized: false, requestedAt: 0, receivedAt: 0, times: LAWFUL, defaultIfError: 0 }).kind, 'storable')
})

t.test('the cookie of an error that is held by the operator\'s word alone reaches nobody else', (t) => {
  const times = { ...LAWFUL, errors: new Map([[404, 10_000], [503, 10_000]]), overrules: true }
  const verdict = (status: number, ...fields: string[]) => judge({ status, fields, authorized: false, requestedAt: 0, receivedAt: 0, times, defaultIfError: 0 })
  t.match(verdict(404), { kind: 'storable' })
  t.match(verdict(404, 'Set-Cookie', 'a=1'), { kind: 'refused', reason: 'set-cookie' })
  t.match(verdict(503, 'Set-Cookie', 'a=1', 'Cache-Control', 'private'), { kind: 'refused', reason: 'set-cookie' })
  t.match(verdict(404, 'Set-Cookie', 'a=1', 'Cache-Control', 'max-age=5'), { kind: 'storable' }, 'where the origin says so itself')
  t.end()
})

t.test('keys keep apart what differs', async (t) => {
  const by = (...names: string[]): Varying => ({ names, generation: 1 })
  const asked = { distribution: 'd', host: 'a.test', target: '/x' }
  const keys = [
    primaryKey(asked),
    primaryKey({ ...asked, host: 'b.test' }),
    primaryKey({ ...asked, target: '/x?' }),
    variantKey(primaryKey(asked), by('accept'), () => undefined),
    variantKey(primaryKey(asked), by('accept'), () => ''),
    variantKey(primaryKey(asked), by('accept'), () => 'a')
  ]
  t.equal(new Set(keys).size, keys.length)
  t.equal(variantKey('k', by('accept'), () => 'a, \tb'), variantKey('k', by('accept'), () => 'a,b'))
  t.not(variantKey('k', by('cookie'), () => 'a, b'), variantKey('k', by('cookie'), () => 'a,b'))
  const start = process.cpuUsage().user
  variantKey('k', by('accept'), () => ' '.repeat(200_000))
  t.ok(process.cpuUsage().user - start < 1_000_000, 'spaces without end cost no more than other octets')
  t.equal(variantKey('k', by('accept-language'), () => 'en-GB, de'), variantKey('k', by('accept-language'), () => 'en-gb,de'))
})

t.test('a part lies within the whole, whatever is asked for', async (t) => {
  const number = fc.oneof(fc.nat(12).map(String), fc.constantFrom('', '999999999999999999999', '-1'))
  fc.assert(
    fc.property(number, number, fc.nat(10), (from, to, length) => {
      const range = wantedRange(`bytes=${from}-${to}`, length)
      return range === undefined || range === 'unsatisfiable' || (range.first >= 0 && range.first <= range.last && range.last < length)
    })
  )
  t.same(wantedRange('bytes=2-4', 10), { first: 2, last: 4 })
  t.same(wantedRange('bytes=-3', 10), { first: 7, last: 9 })
  t.equal(wantedRange('bytes=-0', 10), 'unsatisfiable')
  t.equal(wantedRange('bytes=0-', 0), 'unsatisfiable')
  for (const text of ['bytes=-', 'bytes=4-2', 'bytes=0-1,3-4', 'lines=0-1', 'bytes 0-1']) t.equal(wantedRange(text, 10), undefined, text)
  const date = 'Thu, 01 Jan 2026 00:00:00 GMT'
  t.equal(rangeHolds({ etag: 'W/"1"' }, 'W/"1"', 0), false, 'a weak tag')
  t.equal(rangeHolds({ lastModified: date, date }, date, 0), false, 'it may have changed twice in that second')
})

t.test('path patterns', async (t) => {
  const cases: [pattern: string, target: string, fits: boolean][] = [
    ['/*', '/anything?at=all', true],
    ['/img/*', '/img/a/b.png', true],
    ['/img/*', '/image/a', false],
    ['*.png', '/a/b.png?x', true],
    ['*.png', '/a/b.pngx', false],
    ['/a?c', '/abc', true],
    ['/a?c', '/ac', false],
    ['/a', '/a?c', true],
    ['/*/x/*/y', '/1/x/2/x/3/y', true],
    ['/exact', '/exact/', false]
  ]
  for (const [pattern, target, fits] of cases) t.equal(matchesPath(pattern, target), fits, `${pattern} ${target}`)
  t.equal(matchesPath('/*a'.repeat(20) + 'b', `/${'a'.repeat(8000)}`), false, 'a hostile path is decided at once')
})
