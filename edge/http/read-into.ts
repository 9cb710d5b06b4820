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
