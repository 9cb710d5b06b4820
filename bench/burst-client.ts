import { connect, type Socket } from 'node:net'

/** The same for all processes. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6

/** One connection to a server, on which one thing is asked for at a time. */
export interface Client {
  readonly socket: Socket
  /** Told of each piece that comes, and with undefined of the end. */
  take(piece: Buffer | undefined): void
}

/** When each of many clients had the first octet of its answer and of its body, sorted, as `monotonicMs`. */
export interface Heard {
  readonly heads: number[]
  readonly bodies: number[]
  /** Answers that were not those that were expected. */
  readonly wrong: number
}

/** What is read is dealt with before the next is. */
const buffer = Buffer.allocUnsafeSlow(64 * 1024)

/** Opens so many connections to a server. */
export async function openMany(port: number, count: number): Promise<Client[]> {
  const clients: Client[] = []
  // A few at a time: a backlog that runs over would cost a second each.
  for (let from = 0; from < count; from += 100) clients.push(...(await Promise.all(Array.from({ length: Math.min(100, count - from) }, () => open(port)))))
  return clients
}

function open(port: number): Promise<Client> {
  return new Promise((resolve, reject) => {
    const callback = (length: number): boolean => {
      client.take(buffer.subarray(0, length))
      return true
    }
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer, callback } }, () => resolve(client))
    const client: Client = { socket, take: () => undefined }
    socket.once('error', reject).on('close', () => client.take(undefined))
  })
}

const HEAD = Buffer.from('HTTP/1.1 200 ')
const EMPTY_LINE = Buffer.from('\r\n\r\n')

/** Has each ask for a path now, and hears when its answer and the body of it begin: with an `x`. */
export async function askAll(clients: readonly Client[], host: string, path: string): Promise<Heard> {
  const heads: number[] = []
  const bodies: number[] = []
  let wrong = 0
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  const each = clients.map(
    (client) =>
      new Promise<void>((resolve) => {
        let held: Buffer = EMPTY_LINE.subarray(0, 0)
        const done = (isRight: boolean): void => {
          if (!isRight) wrong++
          client.take = () => undefined
          resolve()
        }
        client.take = (piece) => {
          if (piece === undefined) return done(false)
          const now = monotonicMs()
          if (held.length === 0) heads.push(now)
          held = held.length === 0 ? piece : Buffer.concat([held, piece])
          const end = held.indexOf(EMPTY_LINE)
          if (end >= 0 && held.length > end + EMPTY_LINE.length) {
            bodies.push(now)
            const chunk = held[end + EMPTY_LINE.length] === 0x78 ? 0 : held.indexOf('\r\n', end + EMPTY_LINE.length) - end - 2
            done(held.indexOf(HEAD) === 0 && held[end + EMPTY_LINE.length + chunk] === 0x78)
          } else held = Buffer.from(held)
        }
      })
  )
  for (const { socket } of clients) socket.write(request)
  await Promise.all(each)
  return { heads, bodies, wrong }
}
