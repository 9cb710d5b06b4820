import { connect as connectPlain, createServer, type AddressInfo, type Socket } from 'node:net'
import type { SecureVersion, TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { issueCertificate } from '../../fleet/authority/index.ts'
import { makeRandom } from '../helpers/random.ts'
import { authority, DAY, makeSecureEdge, now, put, shake, temporary, until, type SecureEdge } from './secure.ts'

// What is answered over TLS: in order and whole, however large, however it is asked for and taken, and whoever leaves meanwhile.

/** Small ones are sent past the stream of the socket, the others through it, and all must stay in order. */
const BODIES: Readonly<Record<string, string>> = { '/none': '', '/small': 'hello', '/page': 'p'.repeat(3000), '/nearly': 'n'.repeat(15_000), '/large': 'l'.repeat(100_000), '/stream': 's'.repeat(40_000) }
const PATHS = Object.keys(BODIES)
t.setTimeout(300_000)

const random = makeRandom(7)
/** Connections that the edge takes of one address. */
const PLACES = 60

async function makeEdge(t: Test): Promise<SecureEdge> {
  const folder = temporary(t)
  const edge = await makeSecureEdge(t, folder, { https: { ...put(folder, 'one', issueCertificate(authority, ['d1.nearcast.test'], now, now + DAY)), 'handshake-timeout': '5m' }, http: { 'clients-per-address': PLACES, 'head-timeout': '10m', idle: '10m' } })
  for (const [path, body] of Object.entries(BODIES)) edge.origin.answers.set(path, { status: 200, fields: [['Cache-Control', path === '/stream' ? 'no-store' : 'max-age=60']], body, chunked: path === '/stream' })
  return edge
}

const ask = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: d1.nearcast.test\r\n${more}\r\n`
const drawn = (count: number): string[] => Array.from({ length: count }, () => PATHS[random.below(PATHS.length)]!)

/** Bodies of answers, one after the other; throws at the first octet that no answer can have there. */
class Answers {
  readonly bodies: string[] = []
  #text = ''

  add(piece: Buffer): void {
    this.#text += piece.toString('latin1')
    for (let body = this.#next(); body !== undefined; body = this.#next()) this.bodies.push(body)
  }

  #next(): string | undefined {
    const end = this.#text.indexOf('\r\n\r\n')
    if (end < 0) return undefined
    const head = this.#text.slice(0, end)
    if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(`no head: ${head.slice(0, 200)}`)
    const length = /^content-length: (\d+)$/im.exec(head)?.[1]
    return length === undefined ? this.#chunks(end + 4) : this.#cut(end + 4, end + 4 + Number(length))
  }

  #chunks(from: number): string | undefined {
    let body = ''
    for (let at = from; ; ) {
      const line = this.#text.indexOf('\r\n', at)
      if (line < 0) return undefined
      const size = Number.parseInt(this.#text.slice(at, line), 16)
      const next = line + 2 + size + 2
      if (Number.isNaN(size) || next > this.#text.length) return undefined
      body += this.#text.slice(line + 2, line + 2 + size)
      at = next
      if (size > 0) continue
      this.#cut(0, next)
      return body
    }
  }

  #cut(from: number, to: number): string | undefined {
    if (to > this.#text.length) return undefined
    const body = this.#text.slice(from, to)
    this.#text = this.#text.slice(to)
    return body
  }
}

/** Asks in pieces of some sizes, takes the answers, some of them slowly, and gives back their bodies once the connection has ended. */
async function converse(socket: TLSSocket, text: string, mostAtOnce: number): Promise<string[]> {
  const answers = new Answers()
  const over = new Promise<void>((resolve, reject) => {
    socket.on('error', reject).on('close', () => resolve())
    socket.on('data', (piece: Buffer) => {
      answers.add(piece)
      if (random.below(20) !== 0) return
      socket.pause()
      setTimeout(() => socket.resume(), 5)
    })
  })
  for (let at = 0; at < text.length; ) {
    const size = 1 + random.below(mostAtOnce)
    if (!socket.write(text.slice(at, at + size))) await new Promise((resolve) => socket.once('drain', resolve))
    at += size
    if (random.below(3) === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await over
  return answers.bodies
}

/** Whether as many connections as may be can be had at once: none that has ended is still counted. */
async function areFree(port: number): Promise<boolean> {
  const got = await Promise.allSettled(Array.from({ length: PLACES }, () => shake(port, 'd1.nearcast.test')))
  for (const each of got) if (each.status === 'fulfilled') each.value.destroy()
  return got.every(({ status }) => status === 'fulfilled')
}

t.test('answers of all sizes to requests that come one on the heels of the other', async (t) => {
  const { port } = await makeEdge(t)
  const one = async (version: SecureVersion, count: number, mostAtOnce: number, halfClose: boolean): Promise<void> => {
    const paths = drawn(count)
    const socket = await shake(port, 'd1.nearcast.test', { minVersion: version, maxVersion: version })
    const text = paths.map((path, number) => ask(path, number === count - 1 && !halfClose ? 'Connection: close\r\n' : '')).join('')
    const got = converse(socket, text, mostAtOnce)
    if (halfClose) await until('all is asked', () => socket.writableLength === 0).then(() => socket.end())
    const bodies = await got
    t.ok(bodies.length === count && bodies.every((body, at) => body === BODIES[paths[at]!]), `${version}, ${count} requests, up to ${mostAtOnce} octets at once${halfClose ? ', ending first' : ''}`)
  }
  const each: Promise<void>[] = []
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) for (const mostAtOnce of [1, 40, 500, 20_000]) each.push(one(version, mostAtOnce === 1 ? 10 : 120, mostAtOnce, false))
  each.push(one('TLSv1.3', 1, 20_000, true))
  await Promise.all(each)
})

t.test('a client that takes nothing for now has it all later, and those that leave take nothing with them', async (t) => {
  const { port } = await makeEdge(t)
  const warm = await shake(port, 'd1.nearcast.test')
  t.equal((await converse(warm, PATHS.map((path) => ask(path)).join('') + ask('/small', 'Connection: close\r\n'), 500)).length, PATHS.length + 1)
  const patient = await shake(port, 'd1.nearcast.test')
  patient.pause()
  const paths = Array.from({ length: 2000 }, () => '/page')
  patient.write(paths.map((path, number) => ask(path, number === 1999 ? 'Connection: close\r\n' : '')).join(''))
  for (let round = 0; round < 15; round++) {
    const leaving = await Promise.all(Array.from({ length: 10 }, () => shake(port, 'd1.nearcast.test')))
    for (const socket of leaving) {
      socket.on('error', () => undefined)
      const text = drawn(20).map((path) => ask(path)).join('')
      socket.write(text.slice(0, 100 + random.below(text.length - 100)))
      // Now, after this round of the loop, or while answers come.
      const moment = random.below(3)
      if (moment === 0) socket.destroy()
      else if (moment === 1) setImmediate(() => socket.destroy())
      else socket.once('data', () => socket.destroy())
    }
    await Promise.all(leaving.map((socket) => (socket.closed ? undefined : new Promise((resolve) => socket.once('close', resolve)))))
  }
  const answers = new Answers()
  patient.on('data', (piece: Buffer) => answers.add(piece)).resume()
  await new Promise((resolve) => patient.once('close', resolve))
  t.equal(answers.bodies.length, 2000)
  t.ok(answers.bodies.every((body) => body === BODIES['/page']))
  await until('all places are free', () => areFree(port))
})

t.test('records that are damaged on the way end the connection, with nothing wrong having been answered', async (t) => {
  const { port } = await makeEdge(t)
  const way = await damaging(t, port)
  let whole = 0
  for (let round = 0; round < 40; round++) {
    way.damages = false
    const socket = await shake(way.port, 'd1.nearcast.test')
    way.damages = true
    const answers = new Answers()
    socket.on('error', () => undefined).on('data', (piece: Buffer) => answers.add(piece))
    const paths = drawn(40)
    for (const path of paths) socket.write(ask(path))
    socket.end(ask('/small', 'Connection: close\r\n'))
    await new Promise((resolve) => socket.once('close', resolve))
    if (!answers.bodies.every((body, at) => body === (BODIES[paths[at]!] ?? BODIES['/small']))) t.fail('a wrong answer')
    if (answers.bodies.length === 41) whole++
  }
  t.ok(whole < 40, 'some were damaged')
  const after = await shake(port, 'd1.nearcast.test')
  t.equal((await converse(after, ask('/small', 'Connection: close\r\n'), 20))[0], 'hello')
  await until('all places are free', () => areFree(port))
})

/** Passes on to a port what comes; where it is to, an octet is damaged now and then. */
async function damaging(t: Test, port: number): Promise<{ readonly port: number; damages: boolean }> {
  const sockets = new Set<Socket>()
  const way = { port: 0, damages: false }
  const server = createServer((client) => {
    const onward = connectPlain(port, '127.0.0.1')
    for (const socket of [client, onward]) sockets.add(socket.on('error', () => undefined))
    client.on('data', (piece: Buffer) => {
      if (way.damages && random.below(4) === 0) piece[random.below(piece.length)]! ^= 1 << random.below(8)
      onward.write(piece)
    })
    client.on('close', () => onward.destroy()).on('end', () => onward.end())
    onward.on('close', () => client.destroy())
    onward.pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  way.port = (server.address() as AddressInfo).port
  return way
}
