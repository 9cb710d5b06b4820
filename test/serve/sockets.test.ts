import { createSocket } from 'node:dgram'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { makeLogger } from '../../core/log.ts'
import { startServing, type ServeOptions, type Serving } from '../../daemon/serve/index.ts'
import type { StandInWorld } from './stand-in.ts'

// The same tests on both ways to serve UDP: batched system calls, and node:dgram.

const module = new URL('./stand-in.js', import.meta.url)
let nextPort = 11100

async function serve(t: Test, backend: 'auto' | 'dgram', more: Partial<ServeOptions> = {}): Promise<{ serving: Serving; port: number }> {
  const port = nextPort++
  const serving = await startServing({
    listen: ['127.0.0.1'],
    port,
    threads: 1,
    tcp: { clients: 20, clientsPerAddress: 10, idleMs: 30_000 },
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
async function exchange(address: string, port: number, packets: readonly Buffer[], expected = packets.length, waitMs = 4000): Promise<{ answers: Buffer[]; from: string[] }> {
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
      const { answers } = await exchange('127.0.0.1', port, [Buffer.alloc(0), query(7, 9000), query(8)], 2, 1500)
      t.ok(answers.some((answer) => answer.readUInt16BE() === 8))
    })

    t.test('what came before the end is answered before the end', async (t) => {
      const { serving, port } = await serve(t, backend)
      const got = exchange('127.0.0.1', port, Array.from({ length: 50 }, (_, id) => query(id)), 50, 1000)
      await sleep(20)
      await serving.close(1000)
      t.equal((await got).answers.length, 50)
    })
  })
}

t.test('a thread that hangs or dies is started again on the same sockets', { timeout: 60_000 }, async (t) => {
  const { port } = await serve(t, 'auto')
  await exchange('127.0.0.1', port, [query(0xdeb0)], 1, 50)
  // Its socket goes on receiving meanwhile: this is answered by the thread that takes over.
  const { answers } = await exchange('127.0.0.1', port, [query(9)], 1, 30_000)
  t.equal(answers[0]?.readUInt16BE(), 9)
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

t.test('TCP', async (t) => {
  const frame = (packet: Buffer): Buffer => Buffer.concat([Buffer.from([packet.length >> 8, packet.length & 255]), packet])

  /** A connection that gathers whole answers. */
  function open(port: number): { socket: Socket; answers: Buffer[]; closed: Promise<void>; got(count: number): Promise<void> } {
    const socket = connect(port, '127.0.0.1')
    const answers: Buffer[] = []
    let rest = Buffer.alloc(0)
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk])
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE()) {
        answers.push(rest.subarray(2, 2 + rest.readUInt16BE()))
        rest = rest.subarray(2 + rest.readUInt16BE())
      }
    })
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    const got = async (count: number): Promise<void> => {
      for (let tries = 0; answers.length < count && tries < 500; tries++) await sleep(10)
    }
    return { socket, answers, closed, got }
  }

  t.test('frames in any pieces, many at once, in order', async (t) => {
    const { port } = await serve(t, 'auto')
    const client = open(port)
    const stream = Buffer.concat([1, 2, 3].map((id) => frame(query(id))))
    for (const octet of stream) {
      client.socket.write(Buffer.of(octet))
      await new Promise((resolve) => setImmediate(resolve))
    }
    client.socket.write(Buffer.concat([4, 5, 0xdeaf, 6].map((id) => frame(query(id, id === 5 ? 3000 : 20)))))
    await client.got(6)
    t.same(client.answers.map((answer) => answer.readUInt16BE()), [1, 2, 3, 4, 5, 6])
    t.equal(client.answers[4]?.length, 3000)
    client.socket.end(frame(query(7)))
    await client.closed
    t.equal(client.answers[6]?.readUInt16BE(), 7, 'a query that came with the end is answered')
  })

  t.test('what is shorter than a header closes the connection', async (t) => {
    const { port } = await serve(t, 'auto')
    for (const length of [0, 1, 11]) {
      const client = open(port)
      client.socket.write(frame(Buffer.alloc(length)))
      await client.closed
      t.equal(client.answers.length, 0, `${length} octets`)
    }
  })

  t.test('a client that does not read is not read from, and loses nothing', async (t) => {
    const { port, serving } = await serve(t, 'auto')
    const client = open(port)
    await new Promise((resolve) => client.socket.once('connect', resolve))
    client.socket.pause()
    // 2000 queries of 20 octets ask for 2000 answers of 60 KiB.
    client.socket.write(Buffer.concat(Array.from({ length: 2000 }, () => frame(query(0xbbf0)))))
    await sleep(300)
    const { received } = serving.traffic()
    t.ok(received < 1000, `${received} of 2000 answered while nothing is read`)
    client.socket.resume()
    await client.got(2000)
    t.equal(client.answers.length, 2000)
    client.socket.destroy()
  })

  t.test('connections without queries are closed, drips count for nothing', async (t) => {
    const { port, serving } = await serve(t, 'auto', { tcp: { clients: 20, clientsPerAddress: 10, idleMs: 300 } })
    const [silent, dripping, busy] = [open(port), open(port), open(port)]
    const stream = frame(query(1, 400))
    let at = 0
    const drip = setInterval(() => dripping.socket.write(stream.subarray(at, ++at)), 30)
    const ask = setInterval(() => busy.socket.write(frame(query(2))), 50)
    await Promise.all([silent.closed, dripping.closed])
    clearInterval(drip)
    clearInterval(ask)
    t.notOk(busy.socket.destroyed, 'the one that asks stays')
    busy.socket.destroy()
    t.match(serving.traffic(), { tcpShed: 2 })
  })

  t.test('limits: per address, and in all the longest idle goes', async (t) => {
    const { port, serving } = await serve(t, 'auto', { tcp: { clients: 3, clientsPerAddress: 2, idleMs: 30_000 } })
    const first = open(port)
    const second = open(port)
    for (const client of [first, second]) {
      client.socket.write(frame(query(1)))
      await client.got(1)
    }
    await open(port).closed
    t.match(serving.traffic(), { tcpRefused: 1, tcpOpen: 2 })
    // From other addresses there is room for one more; the next takes the place of the longest idle.
    const others = ['127.0.0.2', '127.0.0.3'].map((localAddress) => connect({ port, host: '127.0.0.1', localAddress }))
    await first.closed
    t.notOk(second.socket.destroyed)
    for (const socket of [second.socket, ...others]) socket.destroy()
  })
})
