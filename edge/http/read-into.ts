import { Socket, type OnReadOpts, type SocketConstructorOpts } from 'node:net'

/** What `net.Socket` takes beside what is documented: the connection itself, as the server hands it over. */
interface HandleOptions extends SocketConstructorOpts {
  readonly handle: unknown
  readonly onread: OnReadOpts
}

/**
 * Moves an accepted connection, which must be paused, to a socket that reads into `buffer` instead of into new memory each
 * time: that and the stream's own bookkeeping are a sixth of what a small hit costs. Node offers `onread` for outgoing
 * connections only, so this takes the connection out of the socket that the server made.
 * @param take is told how many octets were read
 * @returns undefined where Node keeps the connection elsewhere: read the socket in the usual way then
 */
export function readInto(accepted: Socket, buffer: Buffer, take: (length: number) => void): Socket | undefined {
  const holder = accepted as unknown as { _handle?: unknown }
  const handle = holder._handle
  if (typeof handle !== 'object' || handle === null || !('useUserBuffer' in handle)) return undefined
  holder._handle = undefined
  const onread = {
    buffer,
    callback: (length: number): boolean => {
      take(length)
      return true
    }
  }
  const options: HandleOptions = { handle, onread, allowHalfOpen: true, readable: true, writable: true }
  return new Socket(options)
}

/** What a socket made with `onread` has beside others, by names of Node's own. */
interface Inner {
  [name: symbol]: unknown
  readonly _handle?: { useUserBuffer?(buffer: Uint8Array): void } | null
}

/**
 * The same for a connection that has been secured: TLS sockets of servers take no `onread`, though they would heed it. What is read
 * in the usual way costs half as much again as the rest of a small hit.
 * @returns false where Node is otherwise inside: read the socket in the usual way then
 */
export function readSecureInto(socket: Socket, buffer: Buffer, take: (length: number) => void): boolean {
  const inner = socket as unknown as Inner
  const named = (name: string): symbol | undefined => Object.getOwnPropertySymbols(inner).find(({ description }) => description === name)
  const [into, told, each] = [named('kBuffer'), named('kBufferCb'), named('kBufferGen')]
  // What has been read already would come after what is read from now on.
  if (into === undefined || told === undefined || each === undefined || typeof inner._handle?.useUserBuffer !== 'function' || socket.readableLength > 0) return false
  inner[into] = buffer
  inner[each] = null
  inner[told] = (length: number): boolean => {
    take(length)
    return true
  }
  inner._handle.useUserBuffer(buffer)
  return true
}
