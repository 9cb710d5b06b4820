import { createServer, type Server, type Socket } from 'node:net'
import { parseAddress } from '../../core/address.ts'
import type { Carrier, Connection, Events, OnConnection } from './tcp-connection.ts'
import type { Listener } from './types.ts'

/** Connections that the system holds ready while this thread is busy. */
export const BACKLOG = 1024

/** TCP through node:net, for systems whose calls we do not make ourselves. */
export function openNetCarrier(outSize: number): Carrier {
  const servers: Server[] = []
  const out = Buffer.alloc(outSize)
  const stopListening = (): void => {
    for (const server of servers) server.close()
    servers.length = 0
  }
  return {
    out,
    listen: async (listener, onConnection) => void servers.push(await listen(listener, (socket) => accept(socket, onConnection, out))),
    later: (run) => void setImmediate(run),
    expects: () => undefined,
    stopListening,
    close: stopListening
  }
}

async function listen(listener: Listener, onSocket: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, onSocket)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(Object.assign(error, { listener })))
    server.listen({ host: listener.address, port: listener.port, ipv6Only: listener.family === 6, exclusive: true, backlog: BACKLOG }, resolve)
  })
  server.removeAllListeners('error')
  // A failed accept (out of descriptors) concerns that connection alone.
  server.on('error', () => undefined)
  return server
}

function accept(socket: Socket, onConnection: OnConnection, out: Buffer): void {
  // Without a peer it is closed already; without this handler its errors would end the process.
  socket.on('error', () => socket.destroy())
  const from = parseAddress((socket.remoteAddress ?? '').replace(/%.*$/, ''))
  const events: Events | undefined = from && onConnection(connectionOf(socket, out), from)
  if (events === undefined) {
    socket.destroy()
    return
  }
  socket.on('close', () => events.closed())
  socket.on('data', (chunk: Buffer) => events.data(chunk, chunk.length, false))
  socket.on('drain', () => events.drained())
  socket.on('end', () => events.ended())
}

function connectionOf(socket: Socket, out: Buffer): Connection {
  return {
    write: (octets, sent) => void socket.write(Buffer.from(octets), sent && (() => sent())),
    writeOut: (length) => void socket.write(Buffer.from(out.subarray(0, length))),
    end: () => void socket.end(),
    destroySoon: () => void socket.destroySoon(),
    destroy: () => void socket.destroy(),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    get isDestroyed() {
      return socket.destroyed
    },
    get unsent() {
      return socket.writableLength
    },
    get taken() {
      return socket.bytesWritten - socket.writableLength
    }
  }
}
