import { createServer, type AddressInfo, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { systemClock } from '../../core/clock.ts'
import type { RunningWorker } from '../../edge/index.ts'
import { connectClient, type Reply } from './client.ts'
import { configOf, startMember } from './workers.ts'

// More of something than anybody needs, from origins and from viewers, through an edge and its regional: each costs what a good
// request costs, is refused, or breaks off, and leaves nothing behind.

t.setTimeout(240_000)

const HOST = 'd1.nearcast.test'
const GOOD = 'the good one'
const REGIONAL = '127.29.2.1'
const MEMORY = 1024 * 1024
const head = (...lines: readonly string[]): string => `HTTP/1.1 200 OK\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`
const whole = (body: string, ...lines: readonly string[]): string => head(`Content-Length: ${body.length}`, 'Cache-Control: max-age=60', ...lines) + body

interface Tiers {
  readonly edge: RunningWorker
  readonly port: number
  /** Heads of requests that came to the origin. */
  readonly asked: string[]
  /** Says this in answer to a target, or to all. */
  say: (target: string, request: string) => string
  /** The final answer to a request on a connection of its own, and the statuses before it. */
  ask(target: string, options?: { lines?: readonly string[]; host?: string; address?: string }): Promise<Reply & { readonly before: readonly number[] }>
}

async function startTiers(t: Test): Promise<Tiers> {
  const sockets = new Set<Socket>()
  const asked: string[] = []
  const origin = createServer((socket) => {
    sockets.add(socket)
    let held = ''
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    socket.on('data', (piece: Buffer) => {
      held += piece.toString('latin1')
      for (let end = held.indexOf('\r\n\r\n'); end >= 0; end = held.indexOf('\r\n\r\n')) {
        const text = held.slice(0, end)
        held = held.slice(end + 4)
        asked.push(text)
        socket.write(tiers.say(text.split(' ')[1]!, text), 'latin1')
      }
    })
  })
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
  const config = configOf({
    edges: { icn: { address: '127.0.0.1', city: 'Seoul', at: [37, 126], parent: 'apac' } },
    regionals: { apac: { address: REGIONAL } },
    cache: { memory: '1MiB' },
    origins: { main: { url: `http://127.0.0.1:${(origin.address() as AddressInfo).port}` } },
    distributions: { d1: { behaviours: [{ path: '/*', origin: 'main' }] } }
  })
  const edge = await startMember({ role: 'edge', name: 'icn', config, port: 0, clock: systemClock })
  const port = Number(edge.listening[0]!.split(':').at(-1))
  const regional = await startMember({ role: 'regional', name: 'apac', config, port, clock: systemClock })
  t.teardown(async () => {
    await edge.close(0)
    await regional.close(0)
    for (const socket of sockets) socket.destroy()
    origin.close()
  })
  const tiers: Tiers = {
    edge,
    port,
    asked,
    say: () => whole(GOOD),
    ask: async (target, { lines = [], host = HOST, address = '127.0.0.1' } = {}) => {
      const client = await connectClient(address, port)
      client.send(`GET ${target} HTTP/1.1\r\n${[`Host: ${host}`, ...lines].join('\r\n')}\r\n\r\n`)
      const before: number[] = []
      let reply = await client.reply(true)
      while (reply.status >= 100 && reply.status < 200) {
        before.push(reply.status)
        reply = await client.reply(true)
      }
      client.close()
      return { ...reply, before }
    }
  }
  return tiers
}

/** The same with its content. */
async function get({ port }: Tiers, target: string, lines: readonly string[] = [], host = HOST): Promise<Reply> {
  const client = await connectClient('127.0.0.1', port)
  client.send(`GET ${target} HTTP/1.1\r\n${[`Host: ${host}`, ...lines].join('\r\n')}\r\n\r\n`)
  const reply = await client.reply()
  client.close()
  return reply
}

const chunked = (text: string): string => head('Transfer-Encoding: chunked', 'Cache-Control: max-age=60') + text
/** What an origin says that never comes to an end, or has far too much before it. */
const ENDLESS: Record<string, string> = {
  'fields': `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(50_000)}\r\n`,
  'one field': `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(300_000)}`,
  'a status line': `HTTP/1.1 200 ${'O'.repeat(300_000)}`,
  'trailers': chunked(`c\r\n${GOOD}\r\n0\r\n${'X: y\r\n'.repeat(50_000)}\r\n`),
  'the extension of a chunk': chunked(`c;${'x'.repeat(300_000)}\r\n${GOOD}\r\n0\r\n\r\n`),
  'a chunk size': chunked(`${'0'.repeat(300_000)}c\r\n${GOOD}\r\n0\r\n\r\n`)
}

t.test('an origin that does not come to an end breaks off, and nothing of it is held', async (t) => {
  const tiers = await startTiers(t)
  for (const [name, octets] of Object.entries(ENDLESS)) {
    const target = `/${name.replaceAll(' ', '-')}`
    tiers.say = () => octets
    const bad = await get(tiers, target)
    t.ok(bad.broken || bad.status === 502, `${name}: ${bad.status}`)
    tiers.say = () => whole(GOOD)
    const good = await get(tiers, target)
    t.same([good.status, good.body, good.fields.get('x-cache')], [200, GOOD, 'Miss from nearcast'], name)
  }
})

t.test('a flood of interim responses is passed on in part, and ends the fetch', async (t) => {
  const tiers = await startTiers(t)
  tiers.say = (target) => 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n'.repeat(target === '/few' ? 20 : 20_000) + whole(GOOD)
  const few = await tiers.ask('/few')
  t.same([few.status, few.before.length], [200, 20])
  const many = await tiers.ask('/many')
  t.equal(many.status, 502)
  t.ok(many.before.length <= 2 * 33, `${many.before.length} before it`)
})

t.test('content in chunks of an octet each is put together, and is counted with what it takes', async (t) => {
  const tiers = await startTiers(t)
  const body = 'one octet at a time. '.repeat(1000)
  tiers.say = () => chunked(`${[...body].map((octet) => `1\r\n${octet}\r\n`).join('')}0\r\n\r\n`)
  for (const cache of ['Miss', 'Hit']) {
    const reply = await get(tiers, '/')
    t.same([reply.status, reply.broken, reply.body === body, reply.fields.get('x-cache')], [200, false, true, `${cache} from nearcast`])
  }
})

t.test('what varies by far too much is not held; what varies often takes no more memory than there is', async (t) => {
  const tiers = await startTiers(t)
  tiers.say = (target) => (target === '/names' ? whole(GOOD, `Vary: ${Array.from({ length: 2000 }, (_, at) => `X-${at}`).join(', ')}`) : whole('v'.repeat(8000), 'Vary: X-Kind'))
  for (let times = 0; times < 2; times++) t.equal((await get(tiers, '/names')).fields.get('x-cache'), 'Miss from nearcast')
  const client = await connectClient('127.0.0.1', tiers.port)
  let right = 0
  for (let at = 0; at < 200; at++) {
    client.send(`GET /values HTTP/1.1\r\nHost: ${HOST}\r\nX-Kind: ${at}\r\n\r\n`)
    if ((await client.reply()).body.length === 8000) right++
  }
  client.close()
  t.equal(right, 200)
  t.ok(tiers.edge.counters().stored <= MEMORY, `${tiers.edge.counters().stored} octets`)
})

t.test('a thousand ranges, codings and languages cost what none does, and are not sent on', async (t) => {
  const tiers = await startTiers(t)
  tiers.say = () => whole(GOOD, 'Vary: Accept-Encoding')
  const ranges = await get(tiers, '/', [`Range: bytes=${Array.from({ length: 1000 }, (_, at) => `${at}-${at}`).join(',')}`])
  t.same([ranges.status, ranges.body], [200, GOOD])
  t.notOk(tiers.asked.some((text) => /^range:/im.test(text)), 'the origin is asked for the whole')
  const codings = await get(tiers, '/', [`Accept-Encoding: ${Array.from({ length: 1500 }, (_, at) => `x${at};q=0.5`).join(',')}`])
  t.same([codings.body, codings.fields.get('x-cache')], [GOOD, 'Hit from nearcast'], 'it takes none of those that there are')
  t.equal(tiers.asked.length, 1)
})

t.test('content that is coded twice, or in an unknown way, stays as it came', async (t) => {
  const tiers = await startTiers(t)
  const twice = gzipSync(gzipSync(Buffer.alloc(50_000))).toString('latin1')
  const coding = (target: string): string => decodeURIComponent(target.slice(1))
  tiers.say = (target) => whole(twice, 'Content-Type: text/plain', `Content-Encoding: ${coding(target)}`)
  for (const target of ['/gzip%2C%20gzip', '/gzip%2Cbr', '/x-own', `/${Array.from({ length: 500 }, () => 'gzip').join('%2C')}`]) {
    for (const cache of ['Miss', 'Hit']) {
      const reply = await get(tiers, target)
      t.same([reply.status, reply.body === twice, reply.fields.get('content-encoding'), reply.fields.get('x-cache')], [200, true, coding(target), `${cache} from nearcast`])
    }
  }
})

t.test('a 304 says nothing of the octets that are held, nor for us', async (t) => {
  const tiers = await startTiers(t)
  const poison = ['Content-Length: 3', 'Content-Encoding: gzip', 'Content-Range: bytes 0-2/3', 'Age: -1', 'X-Cache: Hit from evil', 'X-Nearcast-Pop: evil', 'Connection: X-Own, Cache-Control', 'Transfer-Encoding: gzip', 'Set-Cookie2: a=b']
  tiers.say = (_target, request) => (/^if-none-match:/im.test(request) ? `HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=60\r\nETag: "e"\r\n${poison.map((line) => `${line}\r\n`).join('')}\r\n` : head(`Content-Length: ${GOOD.length}`, 'Cache-Control: max-age=0, stale-while-revalidate=0', 'ETag: "e"', 'X-Own: kept') + GOOD)
  await get(tiers, '/')
  for (let times = 0; times < 3; times++) {
    const reply = await get(tiers, '/')
    t.same([reply.broken, reply.fields.get('content-encoding'), reply.fields.get('content-range')], [false, undefined, undefined])
    if (reply.status === 200) t.same([reply.body, reply.fields.get('x-nearcast-pop')], [GOOD, 'icn'])
    else t.equal(reply.status, 502, 'it is refused whole')
  }
})

t.test('whose a request is: one host, that of its target first; and none that is no host', async (t) => {
  const tiers = await startTiers(t)
  for (const host of [`${HOST}, evil.test`, `${HOST} evil.test`, `evil.test@${HOST}`, `${HOST}/evil`, `${HOST}\\evil`, `${HOST}?`, `${HOST}#`, '', ' ']) t.not((await get(tiers, '/', [], host)).status, 200, `Host: ${host}`)
  for (const lines of [[`Host: ${HOST}`], [`host : ${HOST}`], [' folded']]) t.equal((await get(tiers, '/', lines)).status, 400, lines.join())
  t.equal((await get(tiers, 'http://evil.test/')).status, 421)
  t.equal(tiers.asked.length, 0)
  const absolute = await get(tiers, `http://${HOST}/absolute`, [], 'evil.test')
  t.same([absolute.status, absolute.body], [200, GOOD])
  t.notOk(tiers.asked.some((text) => text.includes('evil')), tiers.asked.join('\n'))
  t.equal((await get(tiers, '/absolute')).fields.get('x-cache'), 'Hit from nearcast', 'it is the same')
})

t.test('targets are told apart octet by octet, and hold none that may not be in one', async (t) => {
  const tiers = await startTiers(t)
  tiers.say = (target) => whole(target)
  for (const target of ['/a\0b', '/a\tb', '/ä', '/a\u007f', '/\u00a0']) t.equal((await get(tiers, target)).status, 400, JSON.stringify(target))
  for (const target of ['/a%00b', '/a%0db', '/a%0a%23', '/a%0A%23', '/a%ff', '/a?%00', '/a?', '/a', '/a#', '//a', '/./a', '/%61']) {
    const reply = await get(tiers, target)
    if (reply.status === 200) t.equal(reply.body, target)
    else t.equal(reply.status, 400, target)
  }
})

t.test('what tiers say to each other is believed of none but a tier, wherever it is said', async (t) => {
  const tiers = await startTiers(t)
  const internal = ['X-Nearcast-Tier: v1 0 0 0', 'X-Nearcast-Held: 1', 'X-Nearcast-Behaviour: d1/0', 'X-Nearcast-Viewer-Country: XX', 'X-Nearcast-Request-Id: evil']
  t.not((await tiers.ask('/', { lines: internal, address: REGIONAL })).status, 200, 'a stranger at the regional')
  t.not((await tiers.ask('/', { address: REGIONAL })).status, 200)
  const reply = await get(tiers, '/', internal)
  t.same([reply.status, reply.body], [200, GOOD])
  t.notMatch(reply.fields.get('x-nearcast-request-id'), /evil/)
  t.notOk(tiers.asked.some((text) => /evil|: XX/.test(text)))
  t.equal((await get(tiers, '/')).fields.get('x-cache'), 'Hit from nearcast')
})
