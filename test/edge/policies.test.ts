import fc from 'fast-check'
import t from 'tap'
import { parseConfig } from '../../core/config-file.ts'
import { explainRequest, readRequest, type Explained } from '../../edge/index.ts'
import { deviceOf } from '../../edge/policies/index.ts'
import { makeManualClock } from '../helpers/manual-clock.ts'
import { connectClient } from './client.ts'
import { startOrigin } from './origin.ts'
import { configOf, connectedClock, startMember } from './workers.ts'

const SHOP = { set: 'cloudfront', query: { only: ['page'] }, headers: { only: ['Accept-Language'] }, cookies: { only: ['currency'] }, device: true }

const configWith = (keys: Record<string, unknown>, tiers: Record<string, unknown> = {}, port = 1) =>
  configOf({
    edges: { icn: { address: '127.0.0.1', city: 'Seoul', at: [37, 126], ...('regionals' in tiers ? { parent: 'apac' } : {}) } },
    ...tiers,
    origins: { main: { url: `http://127.0.0.1:${port}` } },
    'cache-policies': { shop: SHOP, brief: { ...SHOP, 'max-ttl': '5s' } },
    distributions: { site: keys }
  })

const explain = (target: string, lines: readonly string[]): Extract<Explained, { kind: 'taken' }> => {
  const config = configWith({ behaviours: [{ path: '/*', origin: 'main', policy: 'shop' }] })
  const request = readRequest(config, { method: 'GET', host: 'site.nearcast.test', target, lines })
  if ('reason' in request) throw new Error(request.reason)
  const explained = explainRequest(config, request, { address: '127.0.0.1', countryOf: () => 'KR' })
  if (explained.kind !== 'taken') throw new Error(explained.reason)
  return explained
}

t.test('two requests have one key exactly when the same of them reaches the origin', async () => {
  const word = fc.constantFrom('page', 'currency', 'a', 'b', '%70age', 'page%3d', '')
  const pair = fc.tuple(word, fc.constantFrom('', '=', '=1', '=2', '=1=2')).map((parts) => parts.join(''))
  const asked = fc.record({
    target: fc.array(pair, { maxLength: 3 }).map((pairs) => (pairs.length === 0 ? '/x' : `/x?${pairs.join('&')}`)),
    lines: fc.tuple(fc.array(pair, { maxLength: 3 }), fc.constantFrom(undefined, 'de', 'en'), fc.constantFrom('X-Evil: 1', 'Accept: a', 'X-Forwarded-Host: e')).map(([cookies, language, more]) => [
      ...(cookies.length === 0 ? [] : [`Cookie: ${cookies.join('; ')}`]),
      ...(language === undefined ? [] : [`Accept-Language: ${language}`]),
      more
    ])
  })
  fc.assert(
    fc.property(asked, asked, (one, other) => {
      const [first, second] = [explain(one.target, one.lines), explain(other.target, other.lines)]
      const sent = ({ target, fields }: typeof first): string => JSON.stringify([target, fields])
      return (first.id === second.id) === (sent(first) === sent(second))
    }),
    { numRuns: 500 }
  )
})

t.test('the tiers above hold under the same key as the edge, and the origin is asked once', async (t) => {
  const origin = await startOrigin()
  const clock = connectedClock(makeManualClock(Date.UTC(2026, 0, 1)))
  const behaviours = [{ path: '/*', when: { cookies: { beta: '*' } }, origin: 'main', policy: 'brief' }, { path: '/*', origin: 'main', policy: 'shop' }]
  const config = configWith({ behaviours }, { regionals: { apac: { address: '127.23.1.1', shield: 'tokyo' } }, shields: { tokyo: { address: '127.23.2.1' } } }, origin.port)
  const shield = await startMember({ role: 'shield', name: 'tokyo', config, port: 0, clock })
  const port = Number(shield.listening[0]!.split(':').at(-1))
  const regional = await startMember({ role: 'regional', name: 'apac', config, port, clock })
  const edge = await startMember({ role: 'edge', name: 'icn', config, port, clock })
  const client = await connectClient('127.0.0.1', port)
  t.teardown(async () => {
    client.close()
    for (const worker of [edge, regional, shield]) await worker.close(0)
    await origin.close()
  })
  const ask = async (...lines: string[]): Promise<string> => {
    client.send(`GET /a?page=1&utm=${lines.length} HTTP/1.1\r\n${['Host: site.nearcast.test', ...lines].join('\r\n')}\r\n\r\n`)
    return (await client.reply()).fields.get('cache-status')!
  }
  origin.answers.set('/a?page=1', { status: 200, fields: [], body: 'a' })
  t.match(await ask('User-Agent: iPhone', 'Cookie: currency=krw'), /^nearcast-tokyo; fwd=uri-miss; ttl=86400; stored, nearcast-apac; .*, nearcast-icn; fwd=uri-miss; ttl=86400; stored$/)
  t.match(origin.asked.at(-1)?.headers, { 'x-nearcast-viewer-device': 'mobile', cookie: 'currency=krw' })
  t.match(await ask('Cookie: x=1; currency=krw', 'User-Agent: iPhone; other'), /^nearcast-icn; hit/)
  t.match(await ask('Cookie: currency=krw; beta=1', 'User-Agent: iPhone'), /nearcast-tokyo; fwd=vary-miss; ttl=5; stored, .*nearcast-icn; fwd=vary-miss; ttl=5; stored$/, 'the tiers go by the behaviour that the edge chose')
  t.equal(origin.asked.length, 2)
})

t.test('what a policy cannot be is told with its place', async (t) => {
  const text = `cache-policies:
  a: { query: { onyl: [x] } }
  b: { errors: { 200: 10s } }
  c: { min-ttl: 2h, max-ttl: 1h }
  cloudfront: { set: cloudfront }
distributions:
  site:
    behaviours:
      - { path: "/*", origin: main, policy: bb }
  other:
    behaviours:
      - { path: "/*", when: { method: [get] }, origin: main }
origins:
  main: { url: "http://127.0.0.1" }
`
  const lines = parseConfig('nearcast.yaml', text).faults.map(({ line, column, reason, hint }) => `${line}:${column}: ${reason}${hint === undefined ? '' : ` (${hint})`}`)
  for (const expected of [/^2:15: .*expected all/, /^3:\d+: .*status from 400 to 599/, /^4:17: .*longer than max-ttl/, /^5:15: .*always there/, /^9:\d+: .*no cache policy bb \(did you mean b\?\)/, /^12:\d+: .*method such as GET/]) {
    t.ok(lines.some((line) => expected.test(line)), `${expected} in\n${lines.join('\n')}`)
  }
})

t.test('devices are told by their User-Agent', async (t) => {
  const agents: [string | undefined, string][] = [
    [undefined, 'desktop'],
    ['curl/8.5.0', 'desktop'],
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36', 'desktop'],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15', 'desktop'],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1', 'mobile'],
    ['Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.0 Mobile/15E148 Safari/604.1', 'tablet'],
    ['Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36', 'mobile'],
    ['Mozilla/5.0 (Linux; Android 13; SM-X700) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36', 'tablet'],
    ['Mozilla/5.0 (Linux; Android 9; AFTS Build/PS7223) AppleWebKit/537.36 Chrome/70 Mobile Safari/537.36', 'tv'],
    ['Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 Chrome/94.0 Safari/537.36', 'tv'],
    ['Mozilla/5.0 (PlayStation 5 3.11) AppleWebKit/605.1.15 Safari/605.1.15', 'tv']
  ]
  for (const [agent, device] of agents) t.equal(deviceOf(agent), device, agent ?? 'none')
})

t.test('an origin that cannot be reached is asked no more often than the policy says, and a file is shown in its place', async (t) => {
  const time = makeManualClock(Date.UTC(2026, 0, 1))
  const clock = connectedClock(time)
  const folder = t.testdir({ 'sorry.html': '<h1>sorry</h1>' })
  const config = configWith({ 'error-pages': { 502: { file: `${folder}/sorry.html`, status: 503 } }, behaviours: [{ path: '/held', origin: 'main', policy: 'failing' }, { path: '/*', origin: 'main' }] })
  const edge = await startMember({ role: 'edge', name: 'icn', config: { ...config, 'cache-policies': configOf({ 'cache-policies': { failing: { errors: { 502: '10s' } } } })['cache-policies'] }, port: 0, clock })
  const client = await connectClient('127.0.0.1', Number(edge.listening[0]!.split(':').at(-1)))
  t.teardown(async () => {
    client.close()
    await edge.close(0)
  })
  const ask = async (path: string): Promise<string> => {
    client.send(`GET ${path} HTTP/1.1\r\nHost: site.nearcast.test\r\n\r\n`)
    const { status, body, fields } = await client.reply()
    t.equal(`${status} ${fields.get('content-type')} ${body}`, '503 text/html; charset=utf-8 <h1>sorry</h1>')
    return fields.get('cache-status')!
  }
  t.equal(await ask('/other'), 'nearcast-icn; fwd=uri-miss; detail=unreachable')
  t.equal(await ask('/other'), 'nearcast-icn; fwd=uri-miss; detail=unreachable')
  t.equal(await ask('/held'), 'nearcast-icn; fwd=uri-miss; detail=unreachable')
  t.equal(await ask('/held'), 'nearcast-icn; hit; ttl=10')
  await time.turn(11_000)
  t.equal(await ask('/held'), 'nearcast-icn; fwd=stale; detail=unreachable')
})
