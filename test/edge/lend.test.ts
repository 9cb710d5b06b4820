import { createHash } from 'node:crypto'
import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { systemClock } from '../../core/clock.ts'
import { makeBodies, roomForBodies, senderOfThread } from '../../edge/bodies/index.ts'
import { startOrigin, type Origin } from './origin.ts'
import { until } from './secure.ts'
import { configOf, startMember } from './workers.ts'

// Large bodies: whichever way they reach the socket, what a client gets is what was stored when it asked.

const KIB = 1024

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Octets that differ at every place, and from one version to another. */
function bodyOf(version: number, size: number): string {
  const octets = Buffer.allocUnsafe(size)
  for (let at = 0; at < size; at++) octets[at] = (at * 31 + (at >> 8) * 7 + version * 101) & 255
  return octets.toString('latin1')
}

/** How large the files of bodies are that this process has open. */
function openFiles(): number[] {
  const sizes: number[] = []
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${name}`).includes('nearcast-body')) sizes.push(statSync(`/proc/self/fd/${name}`).size)
    } catch {
      // Closed meanwhile.
    }
  }
  return sizes
}

interface Edge {
  readonly origin: Origin
  readonly port: number
  /** So many were answered from memory. */
  hits(): number
  purge(path: string): void
  /** Has it fetched, and asks again until it is answered from memory. */
  warm(path: string): Promise<void>
}

async function startEdge(t: Test, sendfile: boolean): Promise<Edge> {
  const origin = await startOrigin()
  const config = configOf({
    cache: { memory: '8MiB', 'largest-object': '4MiB', sendfile },
    edges: { icn: { address: '127.0.0.1', city: 'Seoul', at: [37, 126] } },
    origins: { main: { url: `http://127.0.0.1:${origin.port}` } },
    distributions: { d1: { behaviours: [{ path: '/*', origin: 'main' }] } }
  })
  const worker = await startMember({ role: 'edge', name: 'icn', config, port: 0, clock: systemClock })
  t.teardown(async () => {
    await worker.close(0)
    await origin.close()
  })
  const port = Number(worker.listening[0]!.split(':').at(-1))
  let number = 0
  return {
    origin,
    port,
    hits: () => worker.counters().hits,
    purge: (path) => worker.purge({ kind: 'url', what: `d1 ${path}`, soft: false, number: ++number, at: Date.now() }),
    warm: async (path) => {
      for (let hit = false; !hit; ) hit = (await ask(port, path)).head.includes('X-Cache: Hit')
    }
  }
}

const requestOf = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: d1.nearcast.test\r\n${more}\r\n`

interface Got {
  readonly head: string
  readonly body: Buffer
}

/** A client that reads nothing until it is told to. */
class Reader {
  readonly socket: Socket
  #held: Buffer = Buffer.alloc(0)
  #ended = false
  #changed = (): void => undefined

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1' })
    this.socket.on('error', () => undefined)
    this.socket.on('close', () => {
      this.#ended = true
      this.#changed()
    })
  }

  async #take(isThere: () => number): Promise<Buffer> {
    for (;;) {
      const size = isThere()
      if (size > 0 || this.#ended) {
        const taken = this.#held.subarray(0, size)
        this.#held = this.#held.subarray(size)
        return taken
      }
      await new Promise<void>((resolve) => (this.#changed = resolve))
    }
  }

  async next(): Promise<Got> {
    if (this.socket.listenerCount('data') === 0) {
      this.socket.on('data', (piece: Buffer) => {
        this.#held = Buffer.concat([this.#held, piece])
        this.#changed()
      })
    }
    const head = (await this.#take(() => this.#held.indexOf('\r\n\r\n') + (this.#held.includes('\r\n\r\n') ? 4 : 1))).toString('latin1')
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0)
    const body = length === 0 ? Buffer.alloc(0) : await this.#take(() => (this.#held.length >= length ? length : 0))
    return { head, body }
  }
}

async function ask(port: number, path: string, more = ''): Promise<Got> {
  const reader = new Reader(port)
  reader.socket.write(requestOf(path, more))
  const got = await reader.next()
  reader.socket.destroy()
  return got
}

const sumOf = (octets: string | Buffer): string => createHash('sha256').update(typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets).digest('hex')

const isThere = makeBodies(roomForBodies(1)) !== undefined && senderOfThread() !== undefined

for (const sendfile of [true, false]) {
  t.test(sendfile ? 'sent from where they lie' : 'written', { skip: sendfile && !isThere ? 'this system has no memory files, or koffi no binary for it' : false }, async (t) => {
    t.test('what waits for slow readers stays as it was, whatever becomes of the memory it came from', async (t) => {
      const edge = await startEdge(t, sendfile)
      const sizes = [40 * KIB, 100 * KIB, 2000 * KIB]
      const set = (version: number): void => {
        for (const size of sizes) edge.origin.answers.set(`/${size}`, { status: 200, fields: [['Cache-Control', 'max-age=600']], body: bodyOf(version, size) })
      }
      set(1)
      for (const size of sizes) await edge.warm(`/${size}`)
      if (sendfile) for (const size of sizes) t.ok(openFiles().includes(size), `${size}: in a file`)
      const slow = sizes.flatMap((size) => [1, 2].map(() => ({ size, reader: new Reader(edge.port) })))
      // Each asks twice, and reads nothing: some of it waits in the kernel, of the larger ones some still here.
      const before = edge.hits()
      for (const { size, reader } of slow) reader.socket.write(requestOf(`/${size}`))
      await until('all of them are being answered', () => edge.hits() === before + slow.length)
      for (const { size, reader } of slow) reader.socket.write(requestOf(`/${size}`))
      await new Promise((resolve) => setTimeout(resolve, 300))
      // All is replaced, and the rest of the memory used for others.
      set(2)
      for (const size of sizes) edge.purge(`/${size}`)
      for (const size of sizes) await edge.warm(`/${size}`)
      for (let other = 0; other < 12; other++) {
        edge.origin.answers.set(`/other${other}`, { status: 200, fields: [['Cache-Control', 'max-age=600']], body: bodyOf(3 + other, 500 * KIB) })
        await edge.warm(`/other${other}`)
      }
      // Of the smaller ones nothing is on its way here any more: all of it waits in the kernel, and their files go.
      await until('files that go with what lay in them', () => {
        collectGarbage()
        return [40 * KIB, 100 * KIB].every((size) => openFiles().filter((open) => open === size).length <= 1)
      })
      for (const { size, reader } of slow) {
        const [first, second] = [await reader.next(), await reader.next()]
        t.equal(sumOf(first.body), sumOf(bodyOf(1, size)), `${size}: the version that was held when it was asked for`)
        const versions = [1, 2].map((version) => sumOf(bodyOf(version, size)))
        t.ok(versions.includes(sumOf(second.body)), `${size}: and all of one version behind it`)
        reader.socket.destroy()
      }
    })

    t.test('small and large ones and parts, asked for at once, come in order', async (t) => {
      const edge = await startEdge(t, sendfile)
      const [large, small] = [bodyOf(5, 3000 * KIB), bodyOf(6, 500)]
      edge.origin.answers.set('/large', { status: 200, fields: [['Cache-Control', 'max-age=600']], body: large })
      edge.origin.answers.set('/small', { status: 200, fields: [['Cache-Control', 'max-age=600']], body: small })
      for (const path of ['/large', '/small']) await edge.warm(path)
      const reader = new Reader(edge.port)
      const parts = [[0, 40_000], [77_777, 2_000_000], [1_000_001, 1_000_100], [3_000_000, 3_071_999]] as const
      const all = ['/small', '/large', '/small', '/large', '/large'].map((path) => requestOf(path))
      reader.socket.write(all.join('') + parts.map(([first, last]) => requestOf('/large', `Range: bytes=${first}-${last}\r\n`)).join('') + requestOf('/small'))
      for (const [place, wanted] of [small, large, small, large, large].entries()) t.equal(sumOf((await reader.next()).body), sumOf(wanted), `answer ${place}`)
      for (const [first, last] of parts) t.equal(sumOf((await reader.next()).body), sumOf(large.slice(first, last + 1)), `octets ${first} to ${last}`)
      t.equal(sumOf((await reader.next()).body), sumOf(small))
      reader.socket.destroy()
    })

    t.test('clients that go in the middle leave nothing behind, and disturb nobody', async (t) => {
      const edge = await startEdge(t, sendfile)
      const bodies = [1, 2, 3].map((version) => bodyOf(version, 1000 * KIB))
      for (const [place, body] of bodies.entries()) {
        edge.origin.answers.set(`/${place}`, { status: 200, fields: [['Cache-Control', 'max-age=600']], body })
        await edge.warm(`/${place}`)
      }
      const sums = bodies.map(sumOf)
      // Descriptors are given out anew at once: whoever still sent to an old one would be seen here.
      const leave = async (): Promise<void> => {
        const leaver = new Reader(edge.port)
        leaver.socket.write(requestOf('/0'))
        await new Promise((resolve) => leaver.socket.once('readable', resolve))
        leaver.socket.read(1)
        leaver.socket.resetAndDestroy()
      }
      let wrong = 0
      const stay = async (place: number): Promise<void> => {
        if (sumOf((await ask(edge.port, `/${place}`)).body) !== sums[place]) wrong++
      }
      for (let round = 0; round < 6; round++) await Promise.all([leave(), stay(1), leave(), stay(2), leave()])
      t.equal(wrong, 0)
    })
  })
}
