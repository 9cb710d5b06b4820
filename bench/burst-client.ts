import { connect, type Socket } from 'node:net'
import { systemClock } from '../core/clock.ts'

/** When each of many clients had the first octet of its answer's body, in milliseconds of the bench's clock. */
export interface Heard {
  readonly firsts: number[]
  /** Answers that were not the body that was expected. */
  readonly wrong: number
}

/** Opens so many connections to a server. */
export async function openMany(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = []
  // A few at a time: a backlog that runs over would cost a second each.
  for (let from = 0; from < count; from += 100) sockets.push(...(await Promise.all(Array.from({ length: Math.min(100, count - from) }, () => open(port)))))
  return sockets
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket))
    socket.once('error', reject)
  })
}

/** Has each ask for a path now, and hears when its answer begins. The body begins with `body`. */
export async function askAll(sockets: readonly Socket[], host: string, path: string, body: string): Promise<Heard> {
  const firsts: number[] = []
  let wrong = 0
  const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`
  const each = sockets.map(
    (socket) =>
      new Promise<void>((resolve) => {
        let held = ''
        const take = (piece: Buffer): void => {
          held += piece.toString('latin1')
          const end = held.indexOf('\r\n\r\n')
          if (end < 0 || held.length <= end + 4) return
          firsts.push(systemClock.elapsed())
          if (!held.startsWith('HTTP/1.1 200 ') || !held.slice(end + 4).replace(/^[0-9a-f]+\r\n/, '').startsWith(body.slice(0, 1))) wrong++
          done()
        }
        const lost = (): void => {
          wrong++
          done()
        }
        const done = (): void => {
          socket.off('data', take).off('close', lost)
          socket.resume()
          resolve()
        }
        socket.on('data', take).once('close', lost).on('error', () => undefined)
      })
  )
  for (const socket of sockets) socket.write(request)
  await Promise.all(each)
  return { firsts: firsts.sort((one, other) => one - other), wrong }
}
