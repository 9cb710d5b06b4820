import { createServer, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { systemClock } from '../../core/clock.ts'
import { connectClient, type Client, type Reply } from './client.ts'
import { configOf, startMember } from './workers.ts'

// An origin that answers octet by octet what it should not, and viewers who would have others answered by what they send: through an
// edge and its regional, over the connections that these keep.

const HOST = 'd1.nearcast.test'
const GOOD = 'the good one'
const answer = (body: string, more = ''): string => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nCache-Control: max-age=60\r\n${more}\r\n${body}`
const EVIL = answer('EVIL')

/** What it says to each request, by target. @returns its port */
async function startOrigin(t: Test, say: (target: string, text: string) => string): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let held = ''
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    socket.on('data', (piece: Buffer) => {
      held += piece.toString('latin1')
      for (let end = held.indexOf('\r\n\r\n'); end >= 0; end = held.indexOf('\r\n\r\n')) {
        const text = held.slice(0, end)
        held = held.slice(end + 4)
        socket.write(say(text.split(' ')[1]!, text), 'latin1')
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** An edge at 127.0.0.1 and its regional. @returns asks, each time on a connection of its own */
async function startTiers(t: Test, origin: number): Promise<(method: string, target: string, lines?: readonly string[]) => Promise<Reply>> {
  const config = configOf({
    edges: { icn: { address: '127.0.0.1', city: 'Seoul', at: [37, 126], parent: 'apac' } },
    regionals: { apac: { address: '127.29.1.1' } },
    origins: { main: { url: `http://127.0.0.1:${origin}`, 'response-timeout': '2s' } },
    distributions: { d1: { behaviours: [{ path: '/*', origin: 'main' }] } }
  })
  const edge = await startMember({ role: 'edge', name: 'icn', config, port: 0, clock: systemClock })
  const port = Number(edge.listening[0]!.split(':').at(-1))
  // The tiers of a fleet have one port.
  const regional = await startMember({ role: 'regional', name: 'apac', config, port, clock: systemClock })
  t.teardown(async () => {
    await edge.close(0)
    await regional.close(0)
  })
  return async (method, target, lines = []) => {
    const client: Client = await connectClient('127.0.0.1', port)
    client.send(`${method} ${target} HTTP/1.1\r\n${[`Host: ${HOST}`, ...lines].join('\r\n')}\r\n\r\n`)
    const reply = await client.reply(method === 'HEAD')
    client.close()
    return reply
  }
}

const FOR_HEAD = 'a content for HEAD'
/** Answers that are more, or less, than one; whoever asks for something else next must not get what is in them. */
const ANSWERS: Record<string, string> = {
  'two answers': answer('ok') + EVIL,
  'a length and chunks': `HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\n\r\n0\r\n\r\n${EVIL}`,
  'two lengths': `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: ${2 + EVIL.length}\r\nCache-Control: max-age=60\r\n\r\nok${EVIL}`,
  'a list of lengths': `HTTP/1.1 200 OK\r\nContent-Length: 2, 200\r\nCache-Control: max-age=60\r\n\r\nok${EVIL}`,
  'a length that is none': `HTTP/1.1 200 OK\r\nContent-Length: +2\r\nCache-Control: max-age=60\r\n\r\nok${EVIL}`,
  'a content of 204': `HTTP/1.1 204 No Content\r\nContent-Length: ${EVIL.length}\r\nCache-Control: max-age=60\r\n\r\n${EVIL}`,
  'a content of 304': `HTTP/1.1 304 Not Modified\r\nContent-Length: ${EVIL.length}\r\n\r\n${EVIL}`,
  [FOR_HEAD]: `HTTP/1.1 200 OK\r\nContent-Length: ${EVIL.length}\r\nCache-Control: max-age=60\r\n\r\n${EVIL}`,
  'chunks that end too early': `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\n\r\n2\r\nok\r\n0\r\n\r\n${EVIL}`,
  'a chunk size with a sign': `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\n\r\n+2\r\nok\r\n0\r\n\r\n${EVIL}`,
  'chunked and something else': `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\nCache-Control: max-age=60\r\n\r\n2\r\nok\r\n0\r\n\r\n${EVIL}`,
  'switched unasked': `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n${EVIL}`,
  'a space before a colon': `HTTP/1.1 200 OK\r\nContent-Length : 2\r\nCache-Control: max-age=60\r\n\r\nok${EVIL}`,
  'NUL in a head': `HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\nCache-Control: max-age=60\r\n\r\nok${EVIL}`,
  'no answer at all': `\r\n\r\nGET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n${EVIL}`
}

for (const [name, octets] of Object.entries(ANSWERS)) {
  t.test(`what an origin says beyond its answer is the answer to nobody: ${name}`, async (t) => {
    const ask = await startTiers(t, await startOrigin(t, (target) => (target === '/evil' ? octets : answer(GOOD))))
    const first = await ask(name === FOR_HEAD ? 'HEAD' : 'GET', '/evil')
    t.not(first.body, 'EVIL', `${first.status}`)
    for (const target of ['/good', '/better', '/good', '/best']) {
      const next = await ask('GET', target)
      t.same([next.status, next.body, next.broken], [200, GOOD, false], 'the next one')
    }
    t.not((await ask('GET', '/evil')).body, 'EVIL', 'what is held')
  })
}

/** Fields that some applications let decide over what they answer. */
const CHOOSING = [
  'Forwarded: host=evil', 'X-Forwarded-Host: evil', 'X-Forwarded-Scheme: evil', 'X-Forwarded-Proto: evil', 'X-Forwarded-Port: evil', 'X-Forwarded-Prefix: /evil', 'X-Forwarded-Server: evil', 'X-Original-URL: /evil', 'X-Rewrite-URL: /evil', 'X-Host: evil',
  'Proxy: evil', 'Destination: evil', 'X-Middleware-Subrequest: evil', 'X-Invoke-Path: /evil', 'X-Matched-Path: /evil', 'X-Now-Route-Matches: evil', 'X-Original-Method: EVIL', 'X-Proxy-URL: evil',
  'X-HTTP-Method-Override: EVIL', 'X-Method-Override: EVIL', 'X-HTTP-Method: EVIL', 'X-Nearcast-Behaviour: evil', 'X-Nearcast-Tier: evil', 'X-Nearcast-Held: evil', 'X-Nearcast-Viewer-Country: evil', 'X-Nearcast-Request-Id: evil', 'Connection: x-hop, cache-control\r\nX-Hop: evil',
  'Range: bytes=0-0', 'If-None-Match: "evil"', 'If-Range: "evil"', 'TE: evil', 'Expect: evil', 'Keep-Alive: evil', 'Proxy-Connection: evil', 'Trailer: evil'
]

t.test('nobody is answered by what another viewer sent beside the key', async (t) => {
  // It answers with all it was asked.
  const ask = await startTiers(t, await startOrigin(t, (_target, text) => answer(text, 'ETag: "1"\r\n')))
  for (const [number, line] of CHOOSING.entries()) {
    const poisoned = await ask('GET', `/${number}`, [line])
    const other = await ask('GET', `/${number}`)
    const [name = ''] = line.split(':')
    t.equal(other.status, 200, line)
    t.notMatch(other.body.toLowerCase(), /evil|bytes=0-0/, `${line}: ${poisoned.status}`)
    if (!['Connection', 'Expect'].includes(name)) t.match(other.fields.get('x-cache') ?? '', /^(Hit|Miss)/, line)
  }
  const lines = CHOOSING.filter((line) => !/^(Expect|TE|Range|If-)/.test(line))
  await ask('GET', '/all', lines)
  t.notMatch((await ask('GET', '/all')).body.toLowerCase(), /evil/, 'all at once')
})
