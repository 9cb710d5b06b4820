import { createServer, type AddressInfo, type Socket } from 'node:net'

/** What is answered, octets as characters, and how. */
export interface Script {
  /** Written one after the other, so that they arrive apart. */
  readonly pieces: readonly string[]
  /** What follows: the connection is kept, ended or reset. */
  readonly after: 'keep' | 'end' | 'reset'
  /** Said unasked after that, where the connection is kept. */
  readonly unasked?: string | undefined
}

export interface RawOrigin {
  readonly port: number
  /** By the path that is asked for; other paths get a connection that is closed. */
  readonly scripts: Map<string, Script>
  /** Resolves when all has been said that there is to say, and can have been heard. */
  silent(): Promise<void>
  /** Connections that were made so far. */
  connections(): number
  close(): Promise<void>
}

/** An origin that says what it is told to, whether or not it is HTTP. */
export async function startRawOrigin(): Promise<RawOrigin> {
  const scripts = new Map<string, Script>()
  const sockets = new Set<Socket>()
  const saying = new Set<Promise<void>>()
  let count = 0
  const server = createServer((socket) => {
    let asked = ''
    count++
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (text: string) => {
      asked += text
      const end = asked.indexOf('\r\n\r\n')
      if (end < 0) return
      const script = scripts.get(asked.split(' ')[1]!)
      asked = ''
      if (script === undefined) return void socket.destroy()
      const said = say(socket, script).finally(() => saying.delete(said))
      saying.add(said)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    scripts,
    connections: () => count,
    silent: async () => {
      while (saying.size > 0) await Promise.all(saying)
      await turn().then(turn).then(turn)
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

/** One that the kernel has just given. */
export async function freePort(): Promise<number> {
  const { port, close } = await startRawOrigin()
  await close()
  return port
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function say(socket: Socket, { pieces, after, unasked }: Script): Promise<void> {
  for (const piece of after === 'keep' && unasked !== undefined ? [...pieces, unasked] : pieces) {
    if (socket.destroyed) return
    socket.write(piece, 'latin1')
    await turn().then(turn)
  }
  if (after === 'end') socket.end()
  else if (after === 'reset') socket.resetAndDestroy()
}
