import { createSocket } from 'node:dgram'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { decode, encode } from 'dns-packet'
import t, { type Test } from 'tap'
import { systemClock } from '../../core/clock.ts'
import { DEFAULT_LOAD, defaultLimits, runDrill, type Control, type DrillOptions, type Report } from '../../fleet/drill/index.ts'

// A fleet of two edges and a name server, none of it real, which can be told to misbehave.

const TTL = 1
const HTTP_PORT = 15_080
const ICN = '127.0.15.1'
const NRT = '127.0.15.2'

interface Toy extends Control {
  readonly port: number
  readonly calls: string[]
  /** Milliseconds from the order until DNS forgets the edge, and until it exits; Infinity for never. */
  forgets: number
  exits: number
}

async function startToy(t: Test): Promise<Toy> {
  let answer = ICN
  let running = true
  let timers: NodeJS.Timeout[] = []
  const dns = createSocket('udp4')
  dns.on('message', (message, from) => {
    const { id, questions } = decode(message)
    const name = questions![0]!.name
    dns.send(encode({ type: 'response', id: id!, questions: questions!, answers: [{ type: 'A', name, ttl: TTL, data: answer }] }), from.port, from.address)
  })
  await new Promise<void>((resolve) => dns.bind(0, '127.0.0.1', resolve))
  const listen = (address: string): Promise<Server> =>
    new Promise((resolve) => {
      const server = createServer((_, response) => response.end('hello'))
      server.listen(HTTP_PORT, address, () => resolve(server))
    })
  let icn = await listen(ICN)
  const nrt = await listen(NRT)
  t.teardown(() => {
    for (const timer of timers) clearTimeout(timer)
    dns.close()
    for (const server of [icn, nrt]) server.close()
  })
  const later = (ms: number, work: () => void): void => {
    if (ms !== Infinity) timers.push(setTimeout(work, ms))
  }
  const end = (): void => {
    running = false
    icn.close()
  }
  const toy: Toy = {
    port: (dns.address() as AddressInfo).port,
    calls: [],
    forgets: 20,
    exits: (TTL + 2) * 1000,
    see: async (name) => ({ name, answerable: answer === ICN, process: running ? 'running' : 'stopped' }),
    stop: async (name, forMs) => {
      toy.calls.push(`stop ${name} ${forMs}`)
      later(toy.forgets, () => (answer = NRT))
      later(toy.exits, end)
    },
    kill: async (name, forMs) => {
      toy.calls.push(`kill ${name} ${forMs}`)
      end()
      later(toy.forgets, () => (answer = NRT))
    },
    pause: () => Promise.reject(new Error('not here')),
    inject: () => Promise.reject(new Error('not here')),
    strike: () => Promise.reject(new Error('not here')),
    start: async (name) => {
      toy.calls.push(`start ${name}`)
      for (const timer of timers) clearTimeout(timer)
      timers = []
      if (!running) icn = await listen(ICN)
      running = true
      later(100, () => (answer = ICN))
    }
  }
  return toy
}

function drill(toy: Toy, overrides: Partial<DrillOptions> = {}): Promise<Report> {
  const question = { name: 'd1.example.test', type: 'A', subnet: '168.126.63.0/24' } as const
  const kind = overrides.blow?.kind ?? 'stop'
  return runDrill({
    title: 'icn',
    blow: { kind, members: ['icn'] },
    everyMs: 0,
    times: 1,
    stays: false,
    viewpoints: [{ question, host: 'd1.example.test', home: 'icn' }],
    ttl: TTL,
    longestTtl: TTL,
    load: { ...DEFAULT_LOAD, clients: 20, warmMs: 500 },
    limits: { ...defaultLimits(kind, { ttl: TTL, longestTtl: TTL, rate: 50, times: 1 }), unanswered: 5 },
    dns: { address: '127.0.0.1', port: toy.port },
    httpPort: HTTP_PORT,
    names: new Map([[ICN, 'icn'], [NRT, 'nrt']]),
    control: toy,
    clock: systemClock,
    signal: new AbortController().signal,
    hurry: new AbortController().signal,
    progress: () => undefined,
    ...overrides
  })
}

const measured = (report: Report, what: string): number | undefined => report.measures.find((measure) => measure.what.trim() === what)?.measured

t.test('a planned stop that is done right fails no request', async (t) => {
  const toy = await startToy(t)
  const report = await drill(toy)
  t.match(toy.calls, ['stop icn 32000', 'start icn'])
  t.equal(measured(report, 'failed requests'), 0, JSON.stringify(report.failures))
  t.equal(measured(report, 'wrong answers'), 0, JSON.stringify(report.incidents))
  const gone = measured(report, 'to the last client gone')!
  const exit = measured(report, 'to the end of its process')!
  t.ok(exit >= 2900, `it served on for ${exit} ms`)
  t.ok(gone > 300 && gone < exit, `clients left as their answers ran out: the last after ${gone} ms`)
  t.same(report.instead, ['nrt'])
  t.ok(report.requestsBy['icn']! > 50 && report.requestsBy['nrt']! > 50)
})

t.test('an edge that exits before its clients have left fails the drill', async (t) => {
  const toy = await startToy(t)
  toy.exits = 100
  const report = await drill(toy)
  t.ok(measured(report, 'failed requests')! > 0)
  t.equal(report.met, false)
  t.ok(report.failures['ECONNREFUSED']! > 0)
})

t.test('a kill counts what failed until the last TTL ran out', async (t) => {
  const toy = await startToy(t)
  toy.forgets = 300
  const report = await drill(toy, { blow: { kind: 'kill', members: ['icn'] } })
  t.match(toy.calls, ['kill icn 32000', 'start icn'])
  const failed = measured(report, 'failed requests')!
  t.ok(failed > 5 && failed < 120, `${failed} requests failed`)
  t.equal(measured(report, 'after the last TTL'), 0)
  t.equal(measured(report, 'of other edges'), 0)
  const answer = measured(report, 'to the new answer')!
  t.ok(answer >= 290, `the new answer came after ${answer} ms`)
})

t.test('whatever ends a drill, the edge is started again', async (t) => {
  const toy = await startToy(t)
  const controller = new AbortController()
  const running = drill(toy, { signal: controller.signal })
  for (let tries = 0; tries < 600 && toy.calls.length === 0; tries++) await sleep(50)
  // By now DNS has forgotten the edge, in which case there is something to wait for.
  await sleep(500)
  t.match(toy.calls, ['stop icn 32000'])
  controller.abort('SIGTERM')
  const report = await running
  t.same(toy.calls, ['stop icn 32000', 'start icn'])
  t.equal(report.interrupted, 'SIGTERM')
  t.ok(measured(report, 'recovery')! >= 90, 'and its return is waited for')
  t.equal(report.met, false)

  const refused = await drill({ ...toy, stop: () => Promise.reject(new Error('the supervisor does not answer')) })
  t.match(refused.interrupted, /the supervisor does not answer/)
  t.same(toy.calls.slice(2), ['start icn'], 'what may have been done is undone, even when the order was refused')
})
