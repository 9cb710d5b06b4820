import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { systemAfter, systemClock } from '../../core/clock.ts'
import { askSoa, transferFrom, type TransferLimits } from '../../daemon/exchange/ask-primary.ts'
import { startNotifier } from '../../daemon/exchange/notify-out.ts'
import { startSecondaries, type Keeper } from '../../daemon/exchange/secondaries.ts'
import { parseKeys, readMessage, TYPE } from '../../daemon/wire/index.ts'
import { serialOf, type PlainRecord } from '../../daemon/zone/index.ts'
import { records, reply, soa, transferOf, wire } from './replies.ts'

// Primaries and peers that behave badly, over real sockets.

const ORIGIN = 'example.org.'
const tools = { clock: systemClock, after: systemAfter, random: Math.random }
const zone = (...lines: readonly string[]): PlainRecord[] => records(ORIGIN, ...lines)
const framed = (message: Uint8Array): Buffer => Buffer.concat([Buffer.from([message.length >> 8, message.length & 255]), message])
const idOf = (query: Uint8Array): number => (query[0]! << 8) | query[1]!

/** A server over TCP that does as it likes with each connection once it has read a query. */
async function tcpServer(t: Test, port: number, serve: (socket: Socket, id: number) => void): Promise<{ address: string; port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (data) => serve(socket, idOf(data.subarray(2))))
  })
  await once(server.listen(port, '127.0.0.1'), 'listening')
  t.teardown(() => void server.close())
  return { address: '127.0.0.1', port }
}

async function udpServer(t: Test, port: number, serve: (query: Buffer, answer: (reply: Uint8Array) => void) => void): Promise<void> {
  const socket = createSocket('udp4')
  socket.on('message', (query, from) => serve(query, (reply) => socket.send(reply, from.port, from.address)))
  socket.bind(port, '127.0.0.1')
  await once(socket, 'listening')
  t.teardown(() => void socket.close())
}

t.test('transfers that never come to an end, or to a bad one', async (t) => {
  const limits: TransferLimits = { octets: 300_000, connect: 1000, idle: 300, total: 1200 }
  const whole = zone(soa(5), '@ NS ns1', 'ns1 A 192.0.2.1', soa(5))
  const first = (id: number): Uint8Array => transferOf(whole.slice(0, 2), { origin: ORIGIN, type: 'AXFR', id })[0]!
  const cases: readonly (readonly [what: string, serve: (socket: Socket, id: number) => void, reason: RegExp])[] = [
    ['records without end', (socket, id) => {
      socket.write(framed(first(id)))
      const more = framed(reply({ id, answers: zone(`a TXT "${'x'.repeat(200)}"`) }))
      const pour = (): void => {
        while (!socket.destroyed && socket.write(more));
      }
      socket.on('drain', pour)
      pour()
    }, /over 300000 octets/],
    ['half a message, then nothing', (socket, id) => void socket.write(framed(first(id)).subarray(0, 40)), /nothing came for 0.3 s/],
    ['an octet now and then', (socket, id) => {
      const octets = framed(first(id))
      let at = 0
      const timer = setInterval(() => (socket.destroyed ? clearInterval(timer) : socket.write(octets.subarray(at, ++at))), 50)
    }, /not done after 1.2 s/],
    ['an end in the middle', (socket, id) => void socket.end(framed(first(id))), /closed before the end/],
    ['a reset', (socket) => void socket.resetAndDestroy(), /reset/],
    ['nothing at all', () => undefined, /nothing came/],
    ['messages of no octets', (socket) => void socket.write(Buffer.alloc(100)), /cannot be read/],
    ['another id', (socket, id) => void socket.write(framed(first(id ^ 1))), /no reply to what was asked/]
  ]
  for (const [at, [what, serve, reason]] of cases.entries()) {
    const primary = await tcpServer(t, 12_400 + at, serve)
    t.match(await transferFrom(primary, wire(ORIGIN), undefined, limits, tools), { reason }, what)
  }
  t.match(await transferFrom({ address: '127.0.0.1', port: 12_419 }, wire(ORIGIN), undefined, limits, tools), { kind: 'none', reason: 'nothing listens there' })
})

t.test('a change that does not fit what is held is followed by the whole', async (t) => {
  const asked: number[] = []
  const primary = await tcpServer(t, 12_420, (socket, id) => {
    asked.push(id)
    const isFirst = asked.length === 1
    const answers = isFirst ? zone(soa(6), soa(5), 'never TXT "there"', soa(6), soa(6)) : zone(soa(6), '@ NS ns1', soa(6))
    for (const message of transferOf(answers, { origin: ORIGIN, type: isFirst ? 'IXFR' : 'AXFR', id, each: 9 })) socket.write(framed(message))
  })
  await udpServer(t, 12_420, (query, answer) => answer(reply({ id: idOf(query), answers: zone(soa(6)), question: { name: wire(ORIGIN), type: TYPE.SOA } })))
  const did: string[] = []
  const lines: string[] = []
  let served = zone(soa(5))[0]!.rdata
  const keeper: Keeper = {
    change: async (change) => {
      did.push(`change ${change.from} to ${change.to}`)
      return { outcome: 'refused', faults: [{ file: 'transfer', line: 1, column: 1, severity: 'error', reason: 'a TXT that is to be deleted is not there' }] }
    },
    replace: async (_, pack) => {
      did.push(`replace by ${pack.length} records`)
      served = zone(soa(6))[0]!.rdata
      return { outcome: 'done' }
    },
    expire: async () => ({ outcome: 'done' })
  }
  const done = new Promise<void>((resolve) => {
    const secondaries = startSecondaries({
      ...tools, zones: [{ origin: wire(ORIGIN), name: ORIGIN, primaries: [{ ...primary, name: 'west' }] }], limits: { octets: 1 << 20, connect: 1000, idle: 1000, total: 5000 }, keeper,
      soaOf: () => served, refreshed: new Map([[ORIGIN, systemClock.now()]]), keepRefreshed: () => undefined, log: (_, text) => lines.push(text),
      onStatus: ({ state, serial, nextAt }) => {
        if (state === 'current' && serial === 6 && nextAt !== undefined) resolve()
      }
    })
    t.teardown(() => secondaries.close())
  })
  await done
  t.same(did, ['change 5 to 6', 'replace by 2 records'])
  t.match(lines, [/the change from serial 5 to 6 does not fit: .*is not there; the whole zone is transferred/, /serial 6 from west, whole, 2 records/])
})

t.test('answers for the SOA that are none', async (t) => {
  const question = { name: wire(ORIGIN), type: TYPE.SOA }
  const good = (id: number): Uint8Array => reply({ id, answers: zone(soa(9)), question })
  await udpServer(t, 12_430, (query, answer) => {
    answer(good(idOf(query) ^ 1))
    answer(Buffer.alloc(20, 255))
    answer(reply({ id: idOf(query), answers: zone(soa(8)), question: { name: wire('example.net.'), type: TYPE.SOA } }))
    answer(query)
    answer(good(idOf(query)))
  })
  const told = await askSoa({ address: '127.0.0.1', port: 12_430 }, wire(ORIGIN), tools)
  t.equal(told.kind === 'soa' ? serialOf(told.rdata) : told.reason, 9, 'what answers something else is passed over')

  const truncated = await tcpServer(t, 12_431, (socket, id) => void socket.write(framed(good(id))))
  await udpServer(t, 12_431, (query, answer) => answer(reply({ id: idOf(query), answers: [], flags: 0x8600, question })))
  t.match(await askSoa(truncated, wire(ORIGIN), tools), { kind: 'soa' }, 'TCP where it is truncated')

  const { keys } = parseKeys('k', 'key one { algorithm hmac-sha256; secret "c2VjcmV0IG51bWJlciBvbmU="; };')
  t.match(await askSoa({ address: '127.0.0.1', port: 12_430, key: keys.get('one.')! }, wire(ORIGIN), tools), { kind: 'fault', reason: 'the reply is not signed' })
  for (const [at, flags] of [0x8405, 0x8000, 0x8400].entries()) {
    await udpServer(t, 12_440 + at, (query, answer) => answer(reply({ id: idOf(query), answers: at === 1 ? zone(soa(9)) : [], flags, question })))
    t.match(await askSoa({ address: '127.0.0.1', port: 12_440 + at }, wire(ORIGIN), tools), { kind: 'fault', reason: [/REFUSED/, /has no authority/, /without the SOA/][at]! })
  }
})

t.test('notifications: again until answered, and what changes meanwhile is told once', async (t) => {
  const heard: number[] = []
  let deaf = 2
  await udpServer(t, 12_450, (query, answer) => {
    const message = readMessage(query)!
    heard.push(serialOf(message.answers[0]!.rdata))
    if (deaf-- > 0) return
    const reply = Buffer.from(query)
    reply[2]! |= 0x80
    answer(reply)
  })
  let serial = 1
  const lines: string[] = []
  // Time runs at ten times its pace.
  const after: typeof systemAfter = (ms, run) => systemAfter(ms / 10, run)
  const notifier = startNotifier({
    ...tools, after, zones: new Map([[ORIGIN, { origin: wire(ORIGIN), peers: [{ name: 'second', address: '127.0.0.1', port: 12_450 }] }]]),
    soaOf: () => zone(soa(serial))[0]!.rdata, log: (_, text) => void lines.push(text)
  })
  t.teardown(() => notifier.close())
  const wait = (holds: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const timer = setInterval(() => holds() && (clearInterval(timer), resolve()), 5)
    })
  notifier.changed(ORIGIN)
  await wait(() => heard.length === 1)
  for (serial = 2; serial < 50; serial++) notifier.changed(ORIGIN)
  await wait(() => heard.length === 3)
  t.same(heard, [1, 50, 50], 'each time what the zone is then')
  for (serial = 51; serial < 99; serial++) notifier.changed(ORIGIN)
  await wait(() => heard.length === 4)
  t.same(heard.slice(3), [99], 'many changes are one notification')
  t.same(lines, [])
})
