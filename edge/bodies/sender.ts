import { native } from '../../core/native.ts'

// asm-generic/errno-base.h, linux/socket.h.
const EINTR = 4
const [MSG_DONTWAIT, MSG_MORE, MSG_NOSIGNAL] = [0x40, 0x8000, 0x4000]

/** Hands octets to sockets that do not block. Descriptors are those of the moment: they must not be kept over any pause. */
export interface Sender {
  /** The first `length` octets of a head, whose body follows at once. @returns octets taken; 0 when none are, for whatever reason */
  head(socket: number, octets: Uint8Array, length: number): number
  /** Octets of a file from `from` on. @returns octets taken; 0 when none are, for whatever reason */
  file(socket: number, file: number, from: number, length: number): number
}

/** Undefined where the system has no such calls. */
export function makeSender(): Sender | undefined {
  const library = process.platform === 'linux' ? native() : undefined
  if (library === undefined) return undefined
  const send = library.call('intptr_t send(int, const void *, size_t, int)')
  const sendfile = library.call('intptr_t sendfile(int, int, void *, size_t)')
  const place = new BigInt64Array(1)
  const again = (call: () => number): number => {
    for (;;) {
      const taken = call()
      if (taken >= 0) return taken
      if (library.errno() !== EINTR) return 0
    }
  }
  return {
    head: (socket, octets, length) => again(() => send(socket, octets, length, MSG_DONTWAIT | MSG_MORE | MSG_NOSIGNAL)),
    file: (socket, file, from, length) => {
      place[0] = BigInt(from)
      return again(() => sendfile(socket, file, place, length))
    }
  }
}
