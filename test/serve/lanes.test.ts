import { createSocket } from 'node:dgram'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { makeLogger } from '../../core/log.ts'
import { attachLane } from '../../daemon/exchange/lanes.ts'
import { loadSystem, makeSender, startServing, type Handed, type Lane, type ServeOptions, type Serving } from '../../daemon/serve/index.ts'
import { TCP_LIMITS, type StandInWorld } from './stand-in.ts'

// What serving threads hand over, and how the replies find their way: over UDP from the socket and address that were asked,
// over TCP message by message as the client takes them.

const module = new URL('./stand-in.js', import.meta.url)
let nextPort = 11700

type Replies = (handed: Handed) => AsyncGenerator<Uint8Array, void, undefined>

const system = await loadSystem()
const send = typeof system === 'string' ? undefined : makeSender(system)

function laneTo(replies: Replies): Lane {
  const { port1, port2 } = new MessageChannel()
  const waiting = new Int32Array(new SharedArrayBuffer(4))
  attachLane(port1, waiting, replies, send, () => undefined)
  port1.unref()
  return { port: port2, waiting }
}

async function serve(t: Test, backend: 'auto' | 'dgram', more: Partial<ServeOptions>): Promise<{ serving: Serving; port: number }> {
  const port = nextPort++
  const serving = await startServing({
    gathers: true,
    listen: ['127.0.0.1'], port, threads: 1, tcp: TCP_LIMITS, backend, responder: { module, data: () => 0 }, world: { mark: 5 } satisfies StandInWorld,
    settings: { port: 'dns.port', listen: 'dns.listen' }, log: makeLogger('test', { readable: false, level: 'fatal' }), ...more
  })
  t.teardown(() => serving.close(1000))
  return { serving, port }
}

const query = (id: number): Buffer => {
  const packet = Buffer.alloc(20)
  packet.writeUInt16BE(id)
  return packet
}

/** The message with QR set, mark 9 and the number of its place. */
const answerTo = (message: Uint8Array, place: number, size: number): Buffer => {
  const answer = Buffer.alloc(size)
  answer.set(message.subarray(0, 2))
  answer[2] = 0x80
  answer[3] = 9
  answer.writeUInt32BE(place, 4)
  return answer
}

/** Asks over UDP, and gathers what comes, until it is as much as is expected. */
async function ask(address: string, port: number, ids: readonly number[], expected = ids.length): Promise<{ answers: Buffer[]; from: string[] }> {
  const socket = createSocket('udp4')
  const answers: Buffer[] = []
  const from: string[] = []
  socket.on('message', (answer, sender) => {
    answers.push(answer)
    from.push(sender.address)
  })
  for (const id of ids) socket.send(query(id), port, address)
  await until(() => answers.length >= expected)
  socket.close()
  return { answers, from }
}

const framed = (message: Buffer): Buffer => Buffer.concat([Buffer.of(message.length >>> 8, message.length), message])

/** Reads messages off a connection. */
function reader(socket: Socket): { readonly messages: Buffer[] } {
  const messages: Buffer[] = []
  let held: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk])
    while (held.length >= 2 && held.length >= 2 + held.readUInt16BE()) {
      messages.push(held.subarray(2, 2 + held.readUInt16BE()))
      held = held.subarray(2 + held.readUInt16BE())
    }
  })
  return { messages }
}

async function until(what: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 1500; tries++) {
    if (what()) return true
    await sleep(20)
  }
  return false
}

for (const backend of ['auto', 'dgram'] as const) {
  t.test(`UDP through ${backend}`, async (t) => {
    const seen: Handed[] = []
    const openLane = (): Lane =>
      laneTo(async function* (handed) {
        seen.push(handed)
        yield answerTo(handed.message, 0, 30)
      })
    const { serving, port } = await serve(t, backend, { listen: ['0.0.0.0'], openLane })
    const { answers, from } = await ask('127.0.0.3', port, [0xaa01, 7, 0xaa02])
    t.same(answers.map((answer) => [answer.readUInt16BE(), answer[3]]).sort((a, b) => a[0]! - b[0]!), [[7, 5], [0xaa01, 9], [0xaa02, 9]], 'what is handed over is answered by the exchange, the rest in place')
    if (backend === 'auto') t.same([...new Set(from)], ['127.0.0.3'], 'from the address that was asked')
    t.same([...seen[0]!.address], [127, 0, 0, 1], 'and the exchange is told who asks')
    t.match(serving.traffic(), { handedOver: 2, declined: 0 })
  })

  t.test(`an exchange that does not keep up, through ${backend}`, async (t) => {
    const openLane = (): Lane => ({ port: new MessageChannel().port2, waiting: new Int32Array(new SharedArrayBuffer(4)) })
    const { serving, port } = await serve(t, backend, { openLane })
    const { answers } = await ask('127.0.0.1', port, [...Array.from({ length: 100 }, (_, index) => 0xaa00 + index), 7], 37)
    t.equal(answers.filter((answer) => answer[3] === 2).length, 36, 'what does not fit into the lane is declined')
    t.equal(answers.filter((answer) => answer[3] === 5).length, 1, 'and ordinary queries are answered as ever')
    t.match(serving.traffic(), { handedOver: 64, declined: 36 })
    serving.relane()
    const socket = createSocket('udp4')
    t.ok(await until(() => {
      if (serving.traffic().handedOver > 64) return true
      socket.send(query(0xaa01), port, '127.0.0.1')
      return false
    }), 'a new lane takes what comes then')
    socket.close()
  })
}

t.test('without an exchange everything is declined', async (t) => {
  const { port } = await serve(t, 'auto', {})
  const { answers } = await ask('127.0.0.1', port, [0xaa01, 7])
  t.same(answers.map((answer) => answer[3]).sort(), [2, 5])
})

t.test('over TCP a reply of many messages comes as it is taken, and holds up no other query', async (t) => {
  const made = { messages: 0, ended: 0 }
  const openLane = (): Lane =>
    laneTo(async function* (handed) {
      try {
        for (let place = 0; place < 2000; place++) {
          made.messages++
          yield answerTo(handed.message, place, 16000)
        }
      } finally {
        made.ended++
      }
    })
  const { port } = await serve(t, 'auto', { openLane })
  const socket = connect(port, '127.0.0.1')
  socket.write(Buffer.concat([framed(query(0xaa01)), framed(query(7))]))
  socket.pause()
  await until(() => made.messages > 2)
  // What the system takes off the server's hands is a few megabytes at most.
  for (let before = -1; before !== made.messages; ) {
    before = made.messages
    await sleep(300)
  }
  t.ok(made.messages < 1000, `a client that reads nothing has ${made.messages} of 2000 messages made for it`)
  const other = connect(port, '127.0.0.1')
  const others = reader(other)
  other.write(framed(query(8)))
  t.ok(await until(() => others.messages.length === 1), 'another is answered meanwhile')
  other.destroy()
  const { messages } = reader(socket)
  socket.resume()
  t.ok(await until(() => messages.length === 2001), 'all come once it reads')
  t.same(messages.filter((message) => message[3] === 9).map((message) => message.readUInt32BE(4)), Array.from({ length: 2000 }, (_, place) => place), 'in their order')
  t.equal(messages.filter((message) => message.readUInt16BE() === 7).length, 1, 'with the answer to the query behind it')
  socket.write(framed(query(0xaa02)))
  t.ok(await until(() => messages.length > 2010))
  socket.destroy()
  t.ok(await until(() => made.ended === 2), 'for a client that goes away no more is made')
  t.ok(made.messages < 4000)
})

t.test('a reply that breaks off ends the connection', async (t) => {
  const openLane = (): Lane =>
    laneTo(async function* (handed) {
      yield answerTo(handed.message, 0, 100)
      yield answerTo(handed.message, 1, 100)
      throw new Error('no more')
    })
  const { port } = await serve(t, 'auto', { openLane })
  const socket = connect(port, '127.0.0.1')
  let isClosed = false
  socket.on('close', () => (isClosed = true)).on('error', () => undefined)
  const { messages } = reader(socket)
  socket.write(framed(query(0xaa01)))
  t.ok(await until(() => isClosed))
  t.ok(messages.length < 3)
})

t.test('over TCP whoever takes a long reply slowly, but takes it, has all of it', async (t) => {
  const openLane = (): Lane =>
    laneTo(async function* (handed) {
      for (let place = 0; place < 600; place++) yield answerTo(handed.message, place, 16000)
    })
  const { port } = await serve(t, 'auto', { openLane, tcp: { ...TCP_LIMITS, transferMs: 2500, idleMs: 2500 } })
  const socket = connect(port, '127.0.0.1')
  let isClosed = false
  socket.on('close', () => (isClosed = true)).on('error', () => undefined)
  const { messages } = reader(socket)
  socket.on('data', () => {
    socket.pause()
    setTimeout(() => socket.resume(), 30)
  })
  socket.write(framed(query(0xaa01)))
  await until(() => isClosed || messages.length === 600)
  t.equal(messages.length, 600)
  socket.destroy()
})

t.test('over TCP whoever waits for an exchange that is gone is closed at once', async (t) => {
  const openLane = (): Lane => ({ port: new MessageChannel().port2, waiting: new Int32Array(new SharedArrayBuffer(4)) })
  const { serving, port } = await serve(t, 'auto', { openLane, tcp: { ...TCP_LIMITS, idleMs: 500 } })
  const [waits, rests] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
  const closed: string[] = []
  waits.on('close', () => closed.push('waits')).on('error', () => undefined).resume()
  rests.on('close', () => closed.push('rests')).on('error', () => undefined).resume()
  waits.write(framed(query(0xaa01)))
  rests.write(framed(query(7)))
  t.ok(await until(() => closed.length > 0))
  t.same(closed, ['rests'], 'what waits for an answer is not idle')
  await sleep(300)
  serving.relane()
  t.ok(await until(() => closed.includes('waits')))
})
