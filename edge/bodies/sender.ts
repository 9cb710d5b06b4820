import { native, type Native } from '../../core/native.ts'

// asm-generic/errno-base.h, linux/socket.h, linux/splice.h, linux/fcntl.h.
const EINTR = 4
const [MSG_DONTWAIT, MSG_MORE, MSG_NOSIGNAL] = [0x40, 0x8000, 0x4000]
const [SPLICE_F_NONBLOCK, SPLICE_F_MORE] = [2, 4]
const [O_WRONLY, O_NONBLOCK, O_CLOEXEC] = [1, 0o4000, 0o2000000]
const [F_SETPIPE_SZ, F_GETPIPE_SZ] = [1031, 1032]
const PAGE = 4096
/** Octets of the pipe: as much as anybody may have for one by default, and with how much it is still worth it. */
const PIPE = 1024 * 1024
const LEAST_PIPE = 64 * 1024

/** Hands octets to sockets that do not block. Descriptors are those of the moment: they must not be kept over any pause. */
export interface Sender {
  /** What it has open. */
  readonly files: readonly number[]
  /** The first `length` octets of a head, whose body follows at once. @returns octets taken; 0 when none are, for whatever reason */
  head(socket: number, octets: Uint8Array, length: number): number
  /**
   * Octets of a body that lies in a file of memory, without a copy, from an address on. The kernel takes its pages as they are
   * mapped, for less than it would look them up in the file (sendfile).
   * @param more others follow at once
   * @returns octets taken; fewer than `length` when the socket takes no more, or for whatever other reason
   */
  body(socket: number, address: number, length: number, more: boolean): number
}

let sender: Sender | undefined
let tried = false

/** The one of this thread; undefined where the system has no such calls. */
export function senderOfThread(): Sender | undefined {
  if (!tried) sender = makeSender()
  tried = true
  return sender
}

function makeSender(): Sender | undefined {
  const library = process.platform === 'linux' ? native() : undefined
  if (library === undefined) return undefined
  try {
    return senderBy(library)
  } catch {
    // A C library without these, or no /dev/null.
    return undefined
  }
}

function senderBy(library: Native): Sender | undefined {
  const send = library.call('intptr_t send(int, const void *, size_t, int)')
  const vmsplice = library.call('intptr_t vmsplice(int, const void *, size_t, unsigned int)')
  const splice = library.call('intptr_t splice(int, void *, int, void *, size_t, unsigned int)')
  const made = openPipe(library)
  if (made === undefined) return undefined
  const { out, into, size, nowhere } = made
  // Address and length, each 64 bits, the lower half first.
  const words = new Uint32Array(4)
  /** The pipe holds what belongs to nobody any more: nothing is sent by it. */
  let isStuck = false
  const again = (call: () => number): number => {
    for (;;) {
      const taken = call()
      if (taken >= 0) return taken
      if (library.errno() !== EINTR) return 0
    }
  }
  /** What a socket has not taken must not reach the next one. */
  const empty = (left: number): void => {
    while (left > 0 && !isStuck) {
      const gone = again(() => splice(out, null, nowhere, null, left, 0))
      isStuck = gone === 0
      left -= gone
    }
  }
  const pass = (socket: number, address: number, length: number, more: boolean): number => {
    words[0] = address
    words[1] = address / 2 ** 32
    words[2] = length
    const given = again(() => vmsplice(into, words, 1, SPLICE_F_NONBLOCK))
    if (given === 0) return 0
    const flags = SPLICE_F_NONBLOCK | (more || given < length ? SPLICE_F_MORE : 0)
    const taken = again(() => splice(out, null, socket, null, given, flags))
    empty(given - taken)
    return taken
  }
  // Nothing at all: whether it may be called.
  if (vmsplice(into, words, 1, SPLICE_F_NONBLOCK) !== 0) return undefined
  return {
    files: [out, into, nowhere],
    head: (socket, octets, length) => again(() => send(socket, octets, length, MSG_DONTWAIT | MSG_MORE | MSG_NOSIGNAL)),
    body: (socket, address, length, more) => {
      for (let at = 0; at < length; ) {
        // The pipe holds so many pages, each whole or in part.
        const some = Math.min(length - at, size - ((address + at) % PAGE))
        const taken = isStuck ? 0 : pass(socket, address + at, some, more || at + some < length)
        at += taken
        if (taken < some) return at
      }
      return length
    }
  }
}

/** A pipe, what it holds, and where to what is in it may go. */
function openPipe(library: Native): { readonly out: number; readonly into: number; readonly size: number; readonly nowhere: number } | undefined {
  const control = library.call('int fcntl(int, int, int)')
  const ends = new Int32Array(2)
  if (library.call('int pipe2(void *, int)')(ends, O_NONBLOCK | O_CLOEXEC) !== 0) return undefined
  const [out, into] = [ends[0]!, ends[1]!]
  // Whoever has many pipes is given less.
  control(into, F_SETPIPE_SZ, PIPE)
  const size = control(into, F_GETPIPE_SZ, 0)
  const nowhere = size < LEAST_PIPE ? -1 : library.call('int open(const char *, int)')('/dev/null', O_WRONLY | O_CLOEXEC)
  if (nowhere >= 0) return { out, into, size, nowhere }
  const close = library.call('int close(int)')
  close(out)
  close(into)
  return undefined
}
