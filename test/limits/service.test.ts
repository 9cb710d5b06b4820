import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import packet, { type DecodedPacket } from 'dns-packet'
import t, { type Test } from 'tap'
import { parseConfig } from '../../core/config-file.ts'
import { systemClock } from '../../core/clock.ts'
import { makeLogger } from '../../core/log.ts'
import { readCounters } from '../../daemon/answer/index.ts'
import { startService, type Service } from '../../daemon/service.ts'
import { makeHealthTable } from '../../healthchecks/index.ts'

// Rate limiting as clients on loopback meet it, from addresses of their own.

let port = 13500

async function serve(t: Test, yaml: string): Promise<{ service: Service; log: string[] }> {
  const zones = t.testdir({ 'shop.test.zone': '$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 604800 60\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.1\n' })
  const { config, faults } = parseConfig('nearcast.yaml', yaml)
  t.same(faults, [])
  const log: string[] = []
  const logger = makeLogger('test', { readable: false, level: 'fatal' })
  logger.warn = (line: unknown) => void log.push(String(line))
  const service = await startService({
    setup: { config: config!, zonesFolder: zones, zonesLabel: 'zones' }, port: ++port, health: makeHealthTable(16), clock: systemClock, log: logger,
    places: 'for policies', settings: { port: 'dns.port', listen: 'dns.listen' }
  })
  t.teardown(() => service.close(1000))
  return { service, log }
}

const query = (id: number, name: string): Buffer =>
  packet.encode({ type: 'query', id, questions: [{ name, type: 'A' }], additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 1232, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] }] })

/** Sends queries from an address, over eight sockets, and gathers what comes back until the service has counted them all, and all are here that it has not dropped. */
async function flood(service: Service, from: string, name: string, count: number): Promise<DecodedPacket[]> {
  const before = readCounters(...service.counters)
  const answers: DecodedPacket[] = []
  const sockets = Array.from({ length: 8 }, () => createSocket('udp4').on('message', (answer) => answers.push(packet.decode(answer))))
  await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.bind(0, from, resolve))))
  for (let id = 0; id < count; id++) sockets[id % 8]!.send(query(id, name), port, '127.0.0.1')
  const isOver = (): boolean => {
    const { queries, dropped } = readCounters(...service.counters)
    return queries === before.queries + count && answers.length === count - (dropped - before.dropped)
  }
  for (let tries = 0; tries < 1200 && !isOver(); tries++) await sleep(25)
  for (const socket of sockets) socket.close()
  return answers
}

async function overTcp(from: string, name: string, count: number): Promise<number> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from })
  let octets = 0
  const framed = Buffer.concat(Array.from({ length: count }, (_, id) => {
    const message = query(id, name)
    return Buffer.concat([Buffer.of(message.length >> 8, message.length & 255), message])
  }))
  const answer = query(0, name).length + 16 + 2
  socket.on('data', (chunk) => (octets += chunk.length))
  socket.write(framed)
  await new Promise<void>((resolve) => {
    const limit = setTimeout(resolve, 30_000)
    socket.on('data', () => {
      if (octets < answer * count) return
      clearTimeout(limit)
      resolve()
    })
  })
  socket.destroy()
  return octets / answer
}

t.test('a flood in the name of one network is withheld; its neighbours, TCP and the exempt are answered', async (t) => {
  const { service, log } = await serve(t, 'dns: { listen: [127.0.0.1], threads: 2, exempt: [127.0.9.0/24], rate-limit: { responses: 20 } }')
  const began = systemClock.elapsed()
  const answers = await flood(service, '127.0.5.1', 'www.shop.test', 400)
  const seconds = Math.floor((systemClock.elapsed() - began) / 1000)
  const whole = answers.filter(({ answers }) => answers!.length === 1)
  const slipped = answers.filter(({ flag_tc }) => flag_tc)
  t.ok(whole.length >= 20 && whole.length < 60 + 20 * seconds, `${whole.length} whole answers in ${seconds} s and a fraction, of both threads together`)
  t.ok(Math.abs(slipped.length - (400 - whole.length) / 2) < 70, `${slipped.length} truncated ones`)
  t.equal(whole.length + slipped.length, answers.length)
  const [first] = slipped
  t.equal(first?.questions?.[0]?.name, 'www.shop.test')
  t.same([first?.answers, first?.authorities], [[], []])
  t.equal(first?.additionals?.[0]?.type, 'OPT', 'what the client learns of us by EDNS it learns still')
  t.equal(await overTcp('127.0.5.1', 'www.shop.test', 100), 100, 'TCP proves where it comes from')
  t.equal((await flood(service, '127.0.6.1', 'www.shop.test', 10)).filter(({ answers }) => answers!.length === 1).length, 10)
  t.equal((await flood(service, '127.0.9.1', 'www.shop.test', 200)).filter(({ answers }) => answers!.length === 1).length, 200)
  const counted = readCounters(...service.counters)
  t.equal(counted.slipped, slipped.length)
  t.equal(counted['over rate'], 400 - whole.length)
  t.equal(counted.dropped, 400 - whole.length - slipped.length)
  t.ok(log.length >= 1 && log.length <= 2, `${log.length} lines in the log`)
  t.match(log[0], /^dns udp \d: rate limit: answers to 127\.0\.5\.0\/24 are withheld$/)
})

t.test('log-only withholds nothing; loopback is exempt unless it is said otherwise; off', async (t) => {
  const counts: [string, number, number][] = [['rate-limit: { responses: 20, mode: log-only }, exempt: []', 200, 1], ['rate-limit: { responses: 20 }', 200, 0], ['rate-limit: { mode: off, responses: 1 }, exempt: []', 200, 0]]
  for (const [words, answered, told] of counts) {
    const { service, log } = await serve(t, `dns: { listen: [127.0.0.1], threads: 1, ${words} }`)
    t.equal((await flood(service, '127.0.5.1', 'www.shop.test', 200)).filter(({ answers }) => answers!.length === 1).length, answered, words)
    t.equal(log.length, told)
    t.equal(readCounters(...service.counters)['over rate'] > 0, told > 0)
  }
})
