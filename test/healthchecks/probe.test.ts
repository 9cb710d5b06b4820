import { createServer as createHttp, type RequestListener } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import t from 'tap'
import { systemAfter, systemClock } from '../../core/clock.ts'
import { probe, startRounds, type ProbeResult } from '../../healthchecks/index.ts'

/** For answers that come, however busy the machine is; and for those that never come. */
const LONG_MS = 20_000
const SHORT_MS = 300

async function withServer(server: Server, use: (port: number) => Promise<unknown>): Promise<void> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  await use((server.address() as AddressInfo).port)
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => server.close(resolve))
}

function ask(port: number, timeoutMs: number, kind: 'full' | 'light' = 'full', signal = new AbortController().signal, addresses = ['127.0.0.1']): Promise<ProbeResult> {
  return probe({ kind: 'http', addresses, port, path: '/healthz' }, { kind, timeoutMs, clock: systemClock, after: systemAfter, signal })
}

async function askHttp(answer: RequestListener, check: (ask: (timeoutMs: number, kind?: 'full' | 'light') => Promise<ProbeResult>) => Promise<unknown>): Promise<void> {
  await withServer(createHttp(answer), (port) => check((timeoutMs, kind) => ask(port, timeoutMs, kind)))
}

t.test('200 to 399 pass, everything else fails with its status', async (t) => {
  for (const [status, passed] of [[200, true], [204, true], [301, true], [400, false], [404, false], [500, false], [503, false]] as const) {
    await askHttp(
      (request, response) => {
        t.equal(request.url, '/healthz')
        response.writeHead(status).end(status === 204 ? undefined : 'ok')
      },
      async (ask) => {
        t.match(await ask(LONG_MS), { passed, why: `status ${status}` })
        t.match(await ask(LONG_MS, 'light'), { passed })
      }
    )
  }
})

t.test('a connect proves nothing: a server that accepts and is silent has failed after the time limit', async (t) => {
  await withServer(createServer(), async (port) => {
    for (const kind of ['full', 'light'] as const) {
      const result = await ask(port, SHORT_MS, kind)
      t.match(result, { passed: false, why: `no complete answer within ${SHORT_MS} ms` })
      t.ok(result.ms >= SHORT_MS - 5)
    }
  })
})

t.test('a body must come to its end within the limit; the light request is content with the head', async (t) => {
  await askHttp(
    (_, response) => {
      response.writeHead(200, { 'content-length': 1000 }).write('slow')
    },
    async (ask) => {
      t.match(await ask(SHORT_MS), { passed: false, why: /no complete answer/ })
      t.match(await ask(LONG_MS, 'light'), { passed: true })
    }
  )
})

t.test('a body that drips keeps no probe waiting past the limit', async (t) => {
  await askHttp(
    (_, response) => {
      response.writeHead(200)
      const drip = setInterval(() => response.write('.'), 20)
      response.on('close', () => clearInterval(drip))
    },
    async (ask) => t.match(await ask(SHORT_MS), { passed: false, why: /no complete answer/ })
  )
})

t.test('a body that is cut short or endless has failed', async (t) => {
  await askHttp(
    (_, response) => {
      response.writeHead(200, { 'content-length': 1000 }).write('short')
      setTimeout(() => response.destroy(), 20)
    },
    async (ask) => t.match(await ask(LONG_MS), { passed: false, why: /cut short|reset|before the answer was complete/ })
  )
  await askHttp(
    (_, response) => {
      response.writeHead(200).end('x'.repeat(1024 * 1024))
    },
    async (ask) => t.match(await ask(LONG_MS), { passed: false, why: /longer than/ })
  )
})

t.test('nonsense, a closed connection and a refused one have failed, the last of them at once', async (t) => {
  let port = 0
  for (const [say, why] of [['220 mail.example ESMTP\r\n', /^its answer is no HTTP/], ['', /hang up|closed|reset/]] as const) {
    await withServer(
      createServer((socket) => socket.once('data', () => socket.end(say))),
      async (its) => {
        port = its
        t.match(await ask(its, LONG_MS), { passed: false, refused: false, why })
      }
    )
  }
  t.match(await ask(port, LONG_MS), { passed: false, refused: true, why: 'connection refused' })
})

t.test('every address is asked and all must pass, but one this machine has no way to is left out', async (t) => {
  await withServer(createHttp((_, response) => response.end('ok')), async (port) => {
    const askAll = (addresses: string[]): Promise<ProbeResult> => ask(port, LONG_MS, 'full', undefined, addresses)
    t.match(await askAll(['127.0.0.1', '127.0.0.2']), { passed: false, refused: true, why: 'connection refused (127.0.0.2)' })
    // A link-local address without its link has no route on any machine.
    t.match(await askAll(['fe80::1']), { passed: false, why: 'no address of this machine reaches it' })
    t.match(await askAll(['fe80::1', '127.0.0.1']), { passed: true })
  })
})

t.test('a probe that is given up ends at once', async (t) => {
  await withServer(createServer(), async (port) => {
    const controller = new AbortController()
    const asking = ask(port, LONG_MS, 'full', controller.signal)
    setTimeout(() => controller.abort(), 20)
    const { passed, ms } = await asking
    t.notOk(passed)
    t.ok(ms < LONG_MS)
  })
})

t.test('rounds follow the expression, and one that is none is refused with its reason', async (t) => {
  const begun: { lengthMs: number; first: boolean }[] = []
  // The rounds themselves do not keep a process alive.
  const awake = setInterval(() => undefined, 1000)
  await new Promise<void>((resolve) => {
    const end = startRounds('* * * * * *', (lengthMs, first) => {
      begun.push({ lengthMs, first })
      if (begun.length < 3) return
      end()
      resolve()
    })
  })
  clearInterval(awake)
  t.same(begun.map(({ first }) => first), [true, false, false])
  t.ok(begun.every(({ lengthMs }) => lengthMs > 0 && lengthMs <= 1000), JSON.stringify(begun))
  t.throws(() => startRounds('*/30 * * *', () => undefined), /^\*\/30 \* \* \* is not a cron expression/)
})
