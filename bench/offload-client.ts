import { connect, type Socket } from 'node:net'

/** What came of requests: answers, and how many waited for a fetch of the same, by the cache where they did. */
export interface Seen {
  answers: number
  readonly collapsed: Map<string, number>
}

/** What is read is dealt with before the next is. */
const buffer = Buffer.allocUnsafeSlow(64 * 1024)
const EMPTY_LINE = '\r\n\r\n'
const NOTHING = Buffer.alloc(0)

/** One viewer's connection: asks for one thing after the other without waiting, and reads the answers. */
export class Lane {
  readonly #socket: Socket
  readonly #seen: Seen
  readonly #host: string
  #pending = 0
  /** Octets of the body that are still to come. */
  #left = 0
  /** A head that is not here whole. */
  #head: Buffer = NOTHING
  #done: (() => void) | undefined
  #failed: ((error: Error) => void) | undefined

  private constructor(socket: Socket, host: string, seen: Seen) {
    this.#socket = socket
    this.#host = host
    this.#seen = seen
  }

  static async open(address: string, port: number, host: string, seen: Seen): Promise<Lane> {
    return new Promise((resolve, reject) => {
      const callback = (length: number): boolean => {
        lane.#take(buffer.subarray(0, length))
        return true
      }
      const socket = connect({ host: address, port, noDelay: true, onread: { buffer, callback } }, () => resolve(lane))
      const lane = new Lane(socket, host, seen)
      socket.on('error', reject).on('close', () => lane.#failed?.(new Error(`${address} ended a connection`)))
    })
  }

  /** Resolves when all have been answered. */
  ask(targets: readonly string[]): Promise<void> {
    if (targets.length === 0) return Promise.resolve()
    if (this.#socket.destroyed) return Promise.reject(new Error('a connection has been ended'))
    this.#pending = targets.length
    const answered = new Promise<void>((resolve, reject) => {
      this.#done = resolve
      this.#failed = reject
    })
    this.#socket.write(targets.map((target) => `GET ${target} HTTP/1.1\r\nHost: ${this.#host}\r\n\r\n`).join(''))
    return answered
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(piece: Buffer): void {
    const octets = this.#head.length === 0 ? piece : Buffer.concat([this.#head, piece])
    this.#head = NOTHING
    let at = 0
    while (at < octets.length) {
      if (this.#left === 0) {
        const end = octets.indexOf(EMPTY_LINE, at)
        if (end < 0) {
          this.#head = Buffer.from(octets.subarray(at))
          return
        }
        this.#left = this.#read(octets.toString('latin1', at, end + 2))
        at = end + EMPTY_LINE.length
      }
      const taken = Math.min(this.#left, octets.length - at)
      this.#left -= taken
      at += taken
      if (this.#left === 0) this.#answered()
    }
  }

  /** @returns the length of the body */
  #read(head: string): number {
    const length = /\r\nContent-Length: (\d+)\r\n/.exec(head)?.[1]
    if (!head.startsWith('HTTP/1.1 200 ') || length === undefined || length === '0') {
      this.#failed?.(new Error(`unexpected: ${head}`))
      return 0
    }
    if (!head.includes('\r\nX-Cache: Hit ')) this.#count(/\r\nCache-Status: ([^\r]*)/.exec(head)?.[1] ?? '')
    return Number(length)
  }

  /** The members of Cache-Status from the edge upwards: what a tier says that waited was said to the one below as well. */
  #count(status: string): void {
    for (const member of status.split(', ').toReversed()) {
      if (!member.includes('; collapsed')) continue
      const name = member.slice('nearcast-'.length, member.indexOf(';'))
      this.#seen.collapsed.set(name, (this.#seen.collapsed.get(name) ?? 0) + 1)
      return
    }
  }

  #answered(): void {
    this.#seen.answers++
    if (--this.#pending > 0) return
    const done = this.#done
    this.#done = this.#failed = undefined
    done?.()
  }
}
