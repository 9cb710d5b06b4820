import { connect } from 'node:tls'
import { authority } from './secure.ts'

// Frames of HTTP/2 (RFC 9113 §4.1) by hand, to send what no client would.

export function FRAME(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')])
/** Fields whose names are written out, each shorter than 127 octets. */
export const HPACK_FIELDS = (fields: readonly (readonly [string, string])[]): Buffer => Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]))

const literal = (name: number, value: string): Buffer => Buffer.concat([Buffer.from([name, value.length]), Buffer.from(value, 'latin1')])

/** The fields of a request in HPACK, without entries in the dynamic table (RFC 7541 §6.2.2): for `/none`, which nobody answers. */
export const HPACK_GET = (host: string, method = 'GET'): Buffer => Buffer.concat([literal(2, method), Buffer.from([0x87]), literal(4, '/none'), literal(1, host)])

export const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1'), FRAME(4, 0, 0, Buffer.alloc(0)), FRAME(4, 1, 0, Buffer.alloc(0))])

export interface Attacker {
  /** Resolves when it is sent, or cannot be any more. */
  send(octets: Buffer): Promise<void>
  isClosed(): boolean
  /** Heads that came. */
  answers(): number
  /** Streams that the server ended before their time, with its codes. */
  readonly resets: ReadonlyMap<number, number>
  /** The last head that came on each stream, in HPACK. */
  readonly heads: ReadonlyMap<number, Buffer>
  /** Octets of content that it may bring on the connection beyond those of the beginning. */
  granted(): number
  /** What the server said of it: `GOAWAY 11`. */
  said(): string
  close(): void
}

/** A connection of HTTP/2 that has been begun in order. It reads all that comes. */
export async function attacker(port: number, host: string): Promise<Attacker> {
  const socket = connect({ host: '127.0.0.1', port, ca: authority.certificate, servername: host, ALPNProtocols: ['h2'] })
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  let closed = false
  let said = 'cut off'
  let answers = 0
  let granted = 0
  const resets = new Map<number, number>()
  const heads = new Map<number, Buffer>()
  let held: Buffer = Buffer.alloc(0)
  socket.on('data', (piece: Buffer) => {
    held = Buffer.concat([held, piece])
    for (let length = frameLength(held); length !== undefined; length = frameLength(held)) {
      if (held[3] === 1) answers++
      if (held[3] === 1) heads.set(held.readUInt32BE(5), Buffer.from(held.subarray(9, length)))
      if (held[3] === 3) resets.set(held.readUInt32BE(5), held.readUInt32BE(9))
      if (held[3] === 8 && held.readUInt32BE(5) === 0) granted += held.readUInt32BE(9)
      if (held[3] === 7) said = `GOAWAY ${held.readUInt32BE(13)}`
      held = held.subarray(length)
    }
  })
  socket.on('error', () => (closed = true)).on('close', () => (closed = true)).on('end', () => (closed = true))
  socket.write(PREFACE)
  return {
    send: (octets) =>
      new Promise((resolve) => {
        if (closed) return resolve()
        socket.write(octets, () => resolve())
      }),
    isClosed: () => closed,
    said: () => said,
    answers: () => answers,
    resets,
    heads,
    granted: () => granted,
    close: () => void socket.destroy()
  }
}

function frameLength(octets: Buffer): number | undefined {
  const length = octets.length < 9 ? Infinity : 9 + octets.readUIntBE(0, 3)
  return length <= octets.length ? length : undefined
}
