import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { makeLogger } from '../../core/log.ts'
import { startServing, type ServeOptions, type Serving } from '../../daemon/serve/index.ts'
import { TCP_LIMITS, type StandInWorld } from './stand-in.ts'

// The same tests on both ways to serve UDP: batched system calls, and node:dgram.

const module = new URL('./stand-in.js', import.meta.url)
let nextPort = 11100

async function serve(t: Test, backend: 'auto' | 'dgram', more: Partial<ServeOptions> = {}): Promise<{ serving: Serving; port: number }> {
  const port = nextPort++
  const serving = await startServing({
    gathers: true,
    listen: ['127.0.0.1'],
    port,
    threads: 1,
    tcp: TCP_LIMITS,
    backend,
    responder: { module, data: () => 0 },
    world: { mark: 5 } satisfies StandInWorld,
    settings: { port: 'dns.port', listen: 'dns.listen' },
    log: makeLogger('test', { readable: false, level: 'fatal' }),
    ...more
  })
  t.teardown(() => serving.close(1000))
  return { serving, port }
}

const query = (id: number, length = 20): Buffer => {
  const packet = Buffer.alloc(length)
  packet.writeUInt16BE(id)
  return packet
}

/** Sends datagrams and gathers what comes back, until as many answers as expected have come or it has taken too long. */
async function exchange(address: string, port: number, packets: readonly Buffer[], expected = packets.length, waitMs = 30_000): Promise<{ answers: Buffer[]; from: string[] }> {
  const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 1 << 20 })
  const answers: Buffer[] = []
  const from: string[] = []
  await new Promise<void>((resolve) => {
    const limit = setTimeout(resolve, waitMs)
    socket.on('message', (answer, sender) => {
      answers.push(answer)
      from.push(sender.address)
      if (answers.length < expected) return
      clearTimeout(limit)
      resolve()
    })
    for (const packet of packets) socket.send(packet, port, address)
  })
  socket.close()
  return { answers, from }
}

for (const backend of ['auto', 'dgram'] as const) {
  t.test(`UDP through ${backend}`, async (t) => {
    t.test('every query of a burst is answered, to its sender', async (t) => {
      const { serving, port } = await serve(t, backend, { threads: 2 })
      const packets = Array.from({ length: 150 }, (_, id) => query(id))
      const { answers } = await exchange('127.0.0.1', port, packets)
      t.same(answers.map((answer) => answer.readUInt16BE()).sort((a, b) => a - b), packets.map((_, id) => id))
      t.ok(answers.every((answer) => answer[2] === 0x80 && answer[19] === 1), 'answered, and the client was 127.0.0.1')
      t.match(serving.traffic(), { received: 150, answered: 150, unsent: 0 })
    })

    t.test('queries without an answer leave their neighbours alone, and a responder that throws takes nobody along', async (t) => {
      const { port } = await serve(t, backend)
      // Two clients at once, so that a batch holds queries of both.
      const asked = (first: number): number[] => Array.from({ length: 60 }, (_, index) => [first + index, 0xdeaf, first + index + 100, 0xdead]).flat()
      const wanted = (first: number): number[] => asked(first).filter((id) => id < 0xdead).sort((a, b) => a - b)
      const firsts = [1000, 2000]
      const got = await Promise.all(firsts.map((first) => exchange('127.0.0.1', port, asked(first).map((id) => query(id)), 120)))
      for (const [index, { answers }] of got.entries()) {
        t.same(answers.map((answer) => answer.readUInt16BE()).sort((a, b) => a - b), wanted(firsts[index]!))
      }
    })

    t.test('a query sent after a swap was asked for is answered from the new world', async (t) => {
      const { serving, port } = await serve(t, backend, { threads: 2 })
      for (let mark = 1; mark <= 5; mark++) {
        const used = serving.use({ mark } satisfies StandInWorld)
        if (backend === 'dgram') await used
        const { answers } = await exchange('127.0.0.1', port, Array.from({ length: 20 }, (_, id) => query(id)))
        t.ok(answers.length === 20 && answers.every((answer) => answer[3] === mark), `world ${mark}`)
        await used
      }
    })

    t.test('several listeners; a wildcard answers from the address it was asked on', async (t) => {
      const { port } = await serve(t, backend, { listen: ['0.0.0.0', '::1'] })
      const four = await exchange('127.0.0.3', port, [query(1), query(2)])
      t.equal(four.answers.length, 2)
      if (backend === 'auto') t.same(four.from, ['127.0.0.3', '127.0.0.3'])
      const six = await exchange('::1', port, [query(3)])
      t.same(six.from, ['::1'])
      t.equal(six.answers[0]?.[19], 1, 'the client was ::1')
    })

    t.test('a query longer than any is no harm, nor is an empty datagram', async (t) => {
      const { port } = await serve(t, backend)
      const { answers } = await exchange('127.0.0.1', port, [Buffer.alloc(0), query(7, 9000)], 1, 500)
      t.ok(answers.length <= 1)
      t.equal((await exchange('127.0.0.1', port, [query(8)])).answers[0]?.readUInt16BE(), 8)
    })

    t.test('what came before the end is answered before the end', async (t) => {
      const { serving, port } = await serve(t, backend)
      const socket = createSocket('udp4')
      const answers: Buffer[] = []
      socket.on('message', (answer) => answers.push(answer))
      await Promise.all(Array.from({ length: 50 }, (_, id) => new Promise<void>((resolve) => socket.send(query(id), port, '127.0.0.1', () => resolve()))))
      // What Node has not read from its socket yet goes with that.
      const before = backend === 'dgram' ? 50 : 0
      for (let tries = 0; tries < 600 && serving.traffic().received < before; tries++) await sleep(50)
      await serving.close(30_000)
      for (let tries = 0; tries < 600 && answers.length < 50; tries++) await sleep(50)
      t.equal(answers.length, 50)
      socket.close()
    })
  })
}

t.test('a thread that hangs or dies is started again on the same sockets', { timeout: 500_000 }, async (t) => {
  const { port } = await serve(t, 'auto')
  await exchange('127.0.0.1', port, [query(0xdeb0)], 1, 50)
  // Its socket goes on receiving meanwhile: this is answered by the thread that takes over, but for what the old one had taken already.
  let first: Buffer | undefined
  for (let tries = 0; tries < 30 && first === undefined; tries++) first = (await exchange('127.0.0.1', port, [query(9)], 1, 2000)).answers[0]
  t.equal(first?.readUInt16BE(), 9)
})

t.test('a wildcard IPv6 listener answers from the address it was asked on', async (t) => {
  const { port } = await serve(t, 'auto', { listen: ['::'] })
  t.same((await exchange('::1', port, [query(1)])).from, ['::1'])
})

t.test('what cannot be bound is said in a line', async (t) => {
  const taken = createServer().listen(nextPort, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  t.teardown(() => taken.close())
  await t.rejects(serve(t, 'auto'), { message: /^cannot listen on 127\.0\.0\.1 port \d+ over TCP: it is in use by .*\(pid \d+\) \(stop that one/ })
  const { port } = await serve(t, 'auto')
  nextPort = port
  await t.rejects(serve(t, 'auto'), { message: /over UDP: it is in use by/ })
  await t.rejects(serve(t, 'auto', { listen: ['192.0.2.77'] }), { message: /this machine has no such address/ })
})
