import { createSocket, type Socket } from 'node:dgram'
import type { After } from '../../core/clock.ts'

export interface PopSocketOptions {
  readonly own: { readonly address: string; readonly port: number }
  readonly other: { readonly address: string; readonly port: number }
  readonly after: After
  /** What keeps it from working, once for each new reason. */
  trouble(line: string): void
}

const REOPEN_MS = 2000

/**
 * The socket that is between this PoP and one other. It is connected, so that the system itself drops whatever comes from anywhere
 * else, and costs us nothing for it. Where there is no way to the other it tries again.
 */
export class PopSocket {
  readonly #options: PopSocketOptions
  #socket: Socket | undefined
  #isOpen = false
  #isClosed = false
  #cancel: () => void = () => undefined
  #told: string | undefined
  #received: (octets: Uint8Array) => void = () => undefined

  constructor(options: PopSocketOptions) {
    this.#options = options
    this.#open()
  }

  /** Rejects with one line when one of our own addresses cannot be used, or belongs to somebody else already. */
  static async tryAll(addresses: readonly string[], port: number): Promise<void> {
    for (const address of addresses) {
      const code = await new Promise<string | undefined>((resolve) => {
        const socket = makeSocket(address, false)
        socket.once('error', (error: NodeJS.ErrnoException) => {
          socket.close()
          resolve(error.code ?? error.message)
        })
        socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(undefined)))
      })
      if (code === 'EADDRNOTAVAIL') throw new Error(`pops.listen: ${address} is no address of this machine`)
      if (code === 'EADDRINUSE') throw new Error(`pops.port: UDP port ${port} of ${address} is taken`)
      if (code !== undefined) throw new Error(`pops.listen: ${address} port ${port} cannot be used: ${code}`)
    }
  }

  whenReceived(listener: (octets: Uint8Array) => void): void {
    this.#received = listener
  }

  /** Sends when there is a way, else drops: what is to arrive is said again. */
  send(octets: Uint8Array): void {
    if (this.#isOpen) this.#socket!.send(octets, () => undefined)
  }

  close(): void {
    this.#isClosed = true
    this.#cancel()
    this.#shut()
  }

  #open(): void {
    const { own, other } = this.#options
    const socket = makeSocket(own.address, true)
    this.#socket = socket
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // Of a socket that is open it is the network that speaks (ICMP), and anybody may speak so: the next message is sent all the same.
      if (this.#socket !== socket || this.#isOpen) return
      this.#fail(error.code ?? error.message)
    })
    socket.on('message', (octets) => this.#received(octets))
    socket.bind({ address: own.address, port: own.port, exclusive: true }, () => {
      // Called with what went wrong too, whatever its type says.
      socket.connect(other.port, other.address, (error?: NodeJS.ErrnoException) => {
        if (this.#socket !== socket) return
        if (error !== undefined) return this.#fail(error.code ?? error.message)
        this.#isOpen = true
        this.#told = undefined
      })
    })
  }

  #fail(code: string): void {
    this.#shut()
    if (this.#isClosed) return
    const { other, own, trouble, after } = this.#options
    if (this.#told !== code) trouble(`there is no way from ${own.address} to ${other.address} port ${other.port} (${code}); tried again`)
    this.#told = code
    this.#cancel = after(REOPEN_MS, () => this.#open())
  }

  #shut(): void {
    this.#isOpen = false
    this.#socket?.removeAllListeners('message')
    this.#socket?.close()
    this.#socket = undefined
  }
}

function makeSocket(address: string, isShared: boolean): Socket {
  const six = address.includes(':')
  return createSocket({ type: six ? 'udp6' : 'udp4', ipv6Only: six, reuseAddr: isShared })
}
