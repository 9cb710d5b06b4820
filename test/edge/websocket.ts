import { createHash } from 'node:crypto'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'
import { until } from './secure.ts'

// WebSocket as far as it takes to see octets go there and back: an origin, the request, messages.

export const HOST = 'd1.nearcast.test'
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
export const accept = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
export const UPGRADE = `GET /chat HTTP/1.1\r\nHost: ${HOST}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n`
export const GET = `GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`
export const SWITCHING = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
export const OK = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\nCache-Control: no-store\r\n\r\nok'

/** A frame of WebSocket with a binary message (RFC 6455 §5.2), masked as clients do. */
export function frame(message: Buffer, mask = Buffer.from([1, 2, 3, 4])): Buffer {
  const head = Buffer.alloc(10)
  head[0] = 0x82
  head[1] = 0x80 | 127
  head.writeBigUInt64BE(BigInt(message.length), 2)
  return Buffer.concat([head, mask, message.map((octet, at) => octet ^ mask[at % 4]!)])
}

/** Sends back each message that comes, unmasked. */
export function echo(socket: Socket, first: Buffer): void {
  let held = Buffer.alloc(0)
  const read = (piece: Buffer): void => {
    held = Buffer.concat([held, piece])
    for (;;) {
      const length = held.length < 14 ? Infinity : Number(held.readBigUInt64BE(2))
      if (held.length < 14 + length) return
      const mask = held.subarray(10, 14)
      const message = held.subarray(14, 14 + length).map((octet, at) => octet ^ mask[at % 4]!)
      const head = Buffer.from(held.subarray(0, 10))
      head[1] = 127
      socket.write(head)
      socket.write(message)
      held = held.subarray(14 + length)
    }
  }
  if (first.length > 0) read(first)
  socket.on('data', read)
}

/** Octets that come on a socket, to wait for. */
export function reader(socket: Socket): (length: number) => Promise<Buffer> {
  let held = Buffer.alloc(0)
  socket.on('data', (piece: Buffer) => (held = Buffer.concat([held, piece])))
  return async (length) => {
    await until(`${length} octets`, () => held.length >= length)
    const taken = held.subarray(0, length)
    held = held.subarray(length)
    return taken
  }
}

export interface Raw {
  readonly port: number
  /** What came, connection by connection. */
  readonly received: { head: string; socket: Socket }[]
}

/** An origin that hands each request's head, with its socket, to `answer`. */
export async function startRaw(t: Test, answer: (head: string, socket: Socket, rest: Buffer) => void): Promise<Raw> {
  const received: { head: string; socket: Socket }[] = []
  const server = createServer((socket) => {
    let held = Buffer.alloc(0)
    socket.on('error', () => undefined)
    const read = (piece: Buffer): void => {
      held = Buffer.concat([held, piece])
      const end = held.indexOf('\r\n\r\n')
      if (end < 0) return
      const head = held.toString('latin1', 0, end + 4)
      socket.off('data', read)
      received.push({ head, socket })
      answer(head, socket, held.subarray(end + 4))
    }
    socket.on('data', read)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const { socket } of received) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, received }
}
