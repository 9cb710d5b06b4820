import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import type { After } from '../../core/clock.ts'

// The sockets of what we ask other servers: one for each question, connected, so that nothing from elsewhere gets in.

/** Where another server answers. */
export interface Endpoint {
  /** Text. */
  readonly address: string
  readonly port: number
}

/** Why nothing came of a question: a few words for the operator. */
export interface NoReply {
  readonly kind: 'none'
  readonly reason: string
}

export interface UdpQuestion<T> {
  readonly to: Endpoint
  /** What to send now: asked for each time. */
  message(): Uint8Array
  /** How long to wait after each time it is sent, in milliseconds. */
  readonly waits: readonly number[]
  readonly after: After
  /** A port that is closed may be open the next time it is sent. Absent: whoever is not there is not waited for. */
  readonly isPatient?: boolean
  /** Reads what came; undefined: it is none of our business, and the wait goes on. */
  read(reply: Uint8Array): T | undefined
}

/** Asks by UDP, again and again until something is read from a reply. Never rejects. */
export function askByUdp<T>({ to, message, waits, after, isPatient = false, read }: UdpQuestion<T>): Promise<T | NoReply> {
  return new Promise((resolve) => {
    const socket = createSocket(to.address.includes(':') ? 'udp6' : 'udp4')
    let cancel = (): void => undefined
    let reason = 'no answer'
    let isOver = false
    const end = (result: T | NoReply): void => {
      if (isOver) return
      isOver = true
      cancel()
      socket.close()
      resolve(result)
    }
    const trouble = (error: Error): void => {
      reason = errorText(error)
      if (!isPatient) end({ kind: 'none', reason })
    }
    const send = (time: number): void => {
      if (time === waits.length) {
        end({ kind: 'none', reason })
        return
      }
      cancel = after(waits[time]!, () => send(time + 1))
      socket.send(message(), (error) => {
        if (error !== null && error !== undefined) trouble(error)
      })
    }
    socket.on('error', trouble)
    socket.on('message', (reply) => {
      const result = read(reply)
      if (result !== undefined) end(result)
    })
    socket.connect(to.port, to.address, (error?: Error) => {
      if (error === undefined) send(0)
      else end({ kind: 'none', reason: errorText(error) })
    })
  })
}

export interface TcpQuestion<T> {
  readonly to: Endpoint
  readonly message: Uint8Array
  /** Milliseconds: until it is connected, without an octet, and altogether. */
  readonly limits: { readonly connect: number; readonly idle: number; readonly total: number }
  readonly after: After
  /** Takes the next message; undefined: there is more to come. */
  take(message: Uint8Array): T | undefined
}

/** Asks by TCP and takes messages until they come to something. Never rejects. */
export function askByTcp<T>({ to, message, limits, after, take }: TcpQuestion<T>): Promise<T | NoReply> {
  return new Promise((resolve) => {
    const socket = connect({ host: to.address, port: to.port })
    const frames = makeFrames()
    let isOver = false
    const end = (result: T | NoReply): void => {
      if (isOver) return
      isOver = true
      cancelTotal()
      cancelIdle()
      socket.destroy()
      resolve(result)
    }
    const cancelTotal = after(limits.total, () => end({ kind: 'none', reason: `not done after ${limits.total / 1000} s` }))
    let cancelIdle = after(limits.connect, () => end({ kind: 'none', reason: 'no connection' }))
    const rest = (): void => {
      cancelIdle()
      cancelIdle = after(limits.idle, () => end({ kind: 'none', reason: `nothing came for ${limits.idle / 1000} s` }))
    }
    socket.on('connect', () => {
      rest()
      socket.write(Uint8Array.of(message.length >>> 8, message.length))
      socket.write(message)
    })
    socket.on('data', (piece) => {
      if (isOver) return
      rest()
      frames.add(piece)
      for (let next = frames.next(); next !== undefined; next = frames.next()) {
        const result = take(next)
        if (result === undefined) continue
        end(result)
        return
      }
    })
    socket.on('error', (error) => end({ kind: 'none', reason: errorText(error) }))
    socket.on('close', () => end({ kind: 'none', reason: 'the connection was closed before the end' }))
  })
}

/** Messages out of the octets of a TCP connection, each behind two octets of length (RFC 1035 §4.2.2). */
export function makeFrames(): { add(piece: Uint8Array): void; next(): Uint8Array | undefined } {
  let pieces: Uint8Array[] = []
  let held = 0
  // Joins what is held only when a message is whole, so that many small pieces cost no more than few large ones.
  const joined = (): Uint8Array => {
    if (pieces.length > 1) pieces = [Buffer.concat(pieces)]
    return pieces[0]!
  }
  const need = (): number => {
    if (held < 2) return 2
    const head = pieces[0]!.length >= 2 ? pieces[0]! : joined()
    return 2 + ((head[0]! << 8) | head[1]!)
  }
  return {
    add: (piece) => {
      pieces.push(piece)
      held += piece.length
    },
    next: () => {
      const octets = need()
      if (held < 2 || held < octets) return undefined
      const all = joined()
      held -= octets
      pieces = held === 0 ? [] : [all.subarray(octets)]
      return all.subarray(2, octets)
    }
  }
}

function errorText(error: Error): string {
  const { code } = error as NodeJS.ErrnoException
  switch (code) {
    case 'ECONNREFUSED': return 'nothing listens there'
    case 'ECONNRESET': return 'the connection was reset'
    case 'ETIMEDOUT': return 'no connection'
    case 'EHOSTUNREACH': case 'ENETUNREACH': return 'no way leads there'
    default: return error.message
  }
}
