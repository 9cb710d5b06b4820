import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { makeLogger } from '../../core/log.ts'
import { startServing, type Serving, type TcpLimits } from '../../daemon/serve/index.ts'
import { TCP_LIMITS, through, type StandInWorld } from './stand-in.ts'

// DNS over TCP with real connections: framing, and who is let in and for how long.

let nextPort = through.backend === 'auto' ? 13520 : 13820

async function serve(t: Test, tcp: Partial<TcpLimits> = {}): Promise<{ serving: Serving; port: number; said: string[] }> {
  const port = nextPort++
  const said: string[] = []
  const log = makeLogger('test', { readable: false, level: 'fatal' })
  log.warn = (line: unknown) => void said.push(String(line))
  const serving = await startServing({
    gathers: true,
    listen: ['127.0.0.1'], port, threads: 1, tcp: { ...TCP_LIMITS, ...tcp }, backend: through.backend, responder: { module: new URL('./stand-in.js', import.meta.url), data: () => 0 },
    world: { mark: 5 } satisfies StandInWorld, settings: { port: 'dns.port', listen: 'dns.listen' }, log
  })
  t.teardown(() => serving.close(1000))
  return { serving, port, said }
}

const query = (id: number, length = 20): Buffer => {
  const packet = Buffer.alloc(length)
  packet.writeUInt16BE(id)
  return packet
}
const frame = (packet: Buffer): Buffer => Buffer.concat([Buffer.from([packet.length >> 8, packet.length & 255]), packet])

interface Client {
  readonly socket: Socket
  readonly answers: Buffer[]
  readonly closed: Promise<void>
  /** Waits for so many answers in all, for five seconds at most. */
  got(count: number): Promise<void>
  /** Asks once and waits for the answer. */
  ask(id?: number): Promise<boolean>
}

/** A connection that gathers whole answers. */
function open(port: number, localAddress = '127.0.0.1'): Client {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
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
    for (let tries = 0; answers.length < count && tries < 3000 && !socket.destroyed; tries++) await sleep(10)
  }
  const ask = async (id = 1): Promise<boolean> => {
    const before = answers.length
    socket.write(frame(query(id)))
    await got(before + 1)
    return answers.length > before
  }
  return { socket, answers, closed, got, ask }
}

async function until(what: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 3000; tries++) {
    if (what()) return true
    await sleep(10)
  }
  return false
}

t.test('frames in any pieces, many at once, in order', async (t) => {
  const { port } = await serve(t)
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

t.test('the longest query and the longest answer pass', async (t) => {
  const { port } = await serve(t)
  const client = open(port)
  client.socket.write(Buffer.concat([frame(query(1, 65535)), frame(query(2))]))
  await client.got(2)
  t.same(client.answers.map((answer) => answer.length), [65535, 20])
})

t.test('a client that ends its side gets every answer to what it had asked, however much that is', async (t) => {
  const { port } = await serve(t)
  const client = open(port)
  // 100 answers of 60 KiB.
  client.socket.end(Buffer.concat(Array.from({ length: 100 }, () => frame(query(0xbbf0)))))
  await client.closed
  t.equal(client.answers.length, 100)
})

t.test('what is shorter than a header, and a response, closes the connection', async (t) => {
  const { port } = await serve(t)
  const response = query(1)
  response[2] = 0x80
  for (const packet of [Buffer.alloc(0), Buffer.alloc(1), Buffer.alloc(11), response]) {
    const client = open(port)
    client.socket.write(frame(packet))
    await client.closed
    t.equal(client.answers.length, 0, `${packet.length} octets`)
  }
})

t.test('a client that does not read is not read from, and loses nothing', async (t) => {
  const { port, serving } = await serve(t)
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
})

t.test('by time: whoever asks nothing, sends in drips or takes nothing is closed; whoever asks stays, until its time is over', async (t) => {
  const { port, serving } = await serve(t, { idleMs: 3000, transferMs: 1500, lifetimeMs: 6000 })
  const [silent, dripping, trickling, deaf, busy] = [open(port), open(port), open(port), open(port), open(port)]
  const started = Date.now()
  const after: Record<string, number> = {}
  for (const [name, client] of Object.entries({ silent, dripping, trickling, deaf, busy })) void client.closed.then(() => (after[name] = Date.now() - started))
  const stream = frame(query(1, 400))
  let at = 0
  const drip = setInterval(() => dripping.socket.write(stream.subarray(at, ++at)), 30)
  // Whole queries now and then, but the last of each write is never complete.
  const trickle = setInterval(() => trickling.socket.write(Buffer.concat([stream.subarray(1), stream.subarray(0, 1)])), 200)
  trickling.socket.write(stream.subarray(0, 1))
  deaf.socket.pause()
  deaf.socket.write(Buffer.concat(Array.from({ length: 500 }, () => frame(query(0xbbf0)))))
  const ask = setInterval(() => void busy.socket.write(frame(query(2))), 100)
  await Promise.all([silent.closed, dripping.closed])
  await until(() => serving.traffic().tcpSlow >= 2)
  t.notOk(busy.socket.destroyed, 'whoever asks stays')
  t.notOk(trickling.socket.destroyed, 'and so does who completes what it began')
  t.ok(after['dripping']! < after['silent']!, 'a message in drips has less time than silence')
  t.match(serving.traffic(), { tcpSlow: 2, tcpShed: 3, tcpOpen: 2 })
  await busy.closed
  clearInterval(ask)
  t.ok(after['busy']! >= 6000, `${after['busy']} ms`)
  t.ok(busy.answers.length >= 25, `${busy.answers.length} answers`)
  for (const timer of [drip, trickle]) clearInterval(timer)
  deaf.socket.destroy()
  await trickling.closed
  t.ok(await until(() => serving.traffic().tcpOpen === 0), 'nothing is left')
})

t.test('a slow reader that takes what is sent is no trouble', async (t) => {
  const { port, serving } = await serve(t, { transferMs: 2000 })
  const client = open(port)
  // 120 answers of 60 KiB, of which it takes one part every 50 ms.
  client.socket.pause()
  client.socket.write(Buffer.concat(Array.from({ length: 120 }, () => frame(query(0xbbf0)))))
  const sip = setInterval(() => {
    client.socket.resume()
    setImmediate(() => client.socket.pause())
  }, 30)
  await until(() => client.answers.length === 120 || client.socket.destroyed)
  clearInterval(sip)
  t.equal(client.answers.length, 120)
  t.match(serving.traffic(), { tcpShed: 0 })
  client.socket.destroy()
})

t.test('one address and one network give way to themselves, exempt ones to nobody, and it is said once', async (t) => {
  const { port, serving, said } = await serve(t, { clientsPerAddress: 3, clientsPerNetwork: 5, exempt: [{ family: 4, bytes: Uint8Array.of(127, 0, 9, 0), length: 24 }] })
  const first = open(port, '127.0.7.1')
  t.ok(await first.ask())
  const mute = open(port, '127.0.7.1')
  // It has come before the next ones do.
  t.ok(await until(() => serving.traffic().tcpOpen === 2))
  const third = open(port, '127.0.7.1')
  t.ok(await third.ask())
  const fourth = open(port, '127.0.7.1')
  t.ok(await fourth.ask(), 'the one that comes is served')
  await mute.closed
  t.ok(await first.ask(), 'the one that had never asked anything has given way')
  const others = [open(port, '127.0.7.2'), open(port, '127.0.7.2'), open(port, '127.0.7.3')]
  for (const other of others) t.ok(await other.ask())
  t.match(serving.traffic(), { tcpCrowded: 2, tcpOpen: 5 })
  const free = Array.from({ length: 8 }, () => open(port, '127.0.9.9'))
  for (const client of free) t.ok(await client.ask())
  t.match(serving.traffic(), { tcpCrowded: 2, tcpOpen: 13 })
  t.equal(said.length, 1)
  t.match(said[0], /3 TCP connections are open, and one of 127\.0\.7\.1 gives way to one of 127\.0\.7\.1/)
})

t.test('under a flood of connections the flood takes turns with itself', async (t) => {
  const { port, serving } = await serve(t, { clients: 150, clientsPerAddress: 130, clientsPerNetwork: 130 })
  const good = ['127.0.1.1', '127.0.2.1', '127.0.2.2'].map((address) => open(port, address))
  for (const client of good) t.ok(await client.ask())
  // From few networks, silent; then from few networks, each asking once; then from as many networks as connections, silent.
  const floods: [string, (index: number) => string, boolean][] = [
    ['few networks, silent', (index) => `127.1.${index % 3}.1`, false], ['few networks, asking', (index) => `127.2.${index % 3}.1`, true], ['many networks, silent', (index) => `127.3.${index}.1`, false]
  ]
  for (const [name, addressOf, asks] of floods) {
    const flood: Client[] = []
    for (let index = 0; index < 250; index++) {
      const client = open(port, addressOf(index))
      flood.push(client)
      if (asks) client.socket.write(frame(query(1)))
      if (index % 25 === 24) {
        await until(() => flood.every(({ socket }) => !socket.connecting))
        const comer = open(port, `127.9.${index}.1`)
        t.ok(await comer.ask(), `${name}: whoever comes is served`)
        comer.socket.destroy()
      }
    }
    for (const [index, client] of good.entries()) t.ok(await client.ask(), `${name}: client ${index} is as it was`)
    t.ok(serving.traffic().tcpOpen <= 150)
    for (const { socket } of flood) socket.destroy()
    await until(() => serving.traffic().tcpOpen <= 3)
  }
})

t.test('a thread that hangs is started again: its connections are closed, and whoever comes is served', { timeout: 500_000 }, async (t) => {
  const { port } = await serve(t)
  const idle = open(port)
  t.ok(await idle.ask())
  const asking = open(port)
  asking.socket.write(frame(query(0xdeb0)))
  await Promise.all([idle.closed, asking.closed])
  t.pass('both were closed')
  let isServed = false
  for (let tries = 0; tries < 300 && !isServed; tries++) {
    const next = open(port)
    isServed = await Promise.race([next.ask(), next.closed.then(() => false)])
    next.socket.destroy()
    await sleep(50)
  }
  t.ok(isServed)
})
