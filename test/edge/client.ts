import { connect, type Socket } from 'node:net'

/** A response as a client sees it. */
export interface Reply {
  readonly status: number
  /** By name in lower case; lines of the same name are joined by `, `. */
  readonly fields: ReadonlyMap<string, string>
  readonly body: string
  /** The connection ended before the response was whole. */
  readonly broken: boolean
}

/** A client on a connection of its own that sends what it is given, octet by octet as it stands. */
export interface Client {
  readonly socket: Socket
  send(text: string): void
  /** The next response. @param bodiless it answers HEAD */
  reply(bodiless?: boolean): Promise<Reply>
  /** Resolves when the connection has ended. */
  readonly ended: Promise<void>
  close(): void
}

export async function connectClient(address: string, port: number): Promise<Client> {
  const socket = connect(port, address)
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  let held = ''
  let over = false
  let changed = (): void => undefined
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => ((held += text), changed()))
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      over = true
      changed()
      resolve()
    }
    socket.on('end', end).on('close', end).on('error', end)
  })
  const until = async (isThere: () => boolean): Promise<boolean> => {
    while (!isThere()) {
      if (over) return false
      await new Promise<void>((resolve) => (changed = resolve))
    }
    return true
  }
  const take = (length: number): string => {
    const taken = held.slice(0, length)
    held = held.slice(length)
    return taken
  }
  const chunks = async (): Promise<{ body: string; whole: boolean }> => {
    for (let body = ''; ; ) {
      if (!(await until(() => held.includes('\r\n')))) return { body, whole: false }
      const size = Number.parseInt(take(held.indexOf('\r\n') + 2), 16)
      if (!(await until(() => held.length >= size + 2))) return { body: body + take(size), whole: false }
      body += take(size)
      take(2)
      if (size === 0) return { body, whole: true }
    }
  }
  return {
    socket,
    send: (text) => void socket.write(text, 'latin1'),
    ended,
    close: () => void socket.destroy(),
    reply: async (bodiless = false) => {
      if (!(await until(() => held.includes('\r\n\r\n')))) return { status: 0, fields: new Map(), body: held, broken: true }
      const [first, ...lines] = take(held.indexOf('\r\n\r\n') + 4).trimEnd().split('\r\n')
      const status = Number(first!.split(' ')[1])
      const fields = new Map<string, string>()
      for (const line of lines) {
        const name = line.slice(0, line.indexOf(':')).toLowerCase()
        const value = line.slice(line.indexOf(':') + 1).trim()
        fields.set(name, fields.has(name) ? `${fields.get(name)}, ${value}` : value)
      }
      if (bodiless || status === 304 || status === 204) return { status, fields, body: '', broken: false }
      const length = fields.get('content-length')
      if (length !== undefined) {
        const whole = await until(() => held.length >= Number(length))
        return { status, fields, body: take(Number(length)), broken: !whole }
      }
      if (fields.get('transfer-encoding') === 'chunked') {
        const { body, whole } = await chunks()
        return { status, fields, body, broken: !whole }
      }
      await ended
      return { status, fields, body: take(held.length), broken: false }
    }
  }
}
