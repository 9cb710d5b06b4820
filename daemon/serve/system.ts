import { arch, endianness, platform } from 'node:os'

/** Memory outside the heap that system calls may keep pointing into. */
export interface NativeMemory {
  /** Where it lies, as the system sees it; below 2^53. */
  readonly address: number
  readonly bytes: Uint8Array
}

/** The system calls of the paths of UDP and TCP. Pointers are plain numbers, so that a call costs some 30 ns and no allocation. */
export interface System {
  socket(domain: number, type: number, protocol: number): number
  bind(fd: number, address: number, size: number): number
  setsockopt(fd: number, level: number, option: number, value: number, size: number): number
  close(fd: number): number
  nanosleep(wanted: number, left: number): number
  poll(fds: number, count: number, timeoutMs: number): number
  recvmmsg(fd: number, headers: number, count: number, flags: number, timeout: number): number
  sendmmsg(fd: number, headers: number, count: number, flags: number): number
  listen(fd: number, backlog: number): number
  accept4(fd: number, address: number, size: number, flags: number): number
  recv(fd: number, octets: number, length: number, flags: number): number
  send(fd: number, octets: number, length: number, flags: number): number
  shutdown(fd: number, how: number): number
  epoll_create1(flags: number): number
  epoll_ctl(queue: number, operation: number, fd: number, event: number): number
  epoll_wait(queue: number, events: number, count: number, timeoutMs: number): number
  /** Of the calling thread's last call that failed. */
  errno(): number
  /** Never freed: what is asked for here lives as long as the thread. Zeroed. */
  alloc(size: number): NativeMemory
}

// Numbers of the Linux interface, alike on every architecture that `loadSystem` lets through.
export const AF_INET = 2
export const AF_INET6 = 10
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_NONBLOCK = 0x800
export const SOCK_CLOEXEC = 0x80000
export const SOL_SOCKET = 1
export const SO_REUSEADDR = 2
export const SO_RCVBUF = 8
export const SO_REUSEPORT = 15
export const SO_RCVTIMEO = 20
export const SO_SNDTIMEO = 21
export const SO_RCVBUFFORCE = 33
export const IPPROTO_IP = 0
export const IP_PKTINFO = 8
export const IP_MTU_DISCOVER = 10
export const IP_PMTUDISC_OMIT = 5
export const IPPROTO_TCP = 6
export const TCP_NODELAY = 1
export const TCP_NOTSENT_LOWAT = 25
export const IPPROTO_IPV6 = 41
export const IPV6_MTU_DISCOVER = 23
export const IPV6_V6ONLY = 26
export const IPV6_RECVPKTINFO = 49
export const MSG_DONTWAIT = 0x40
export const MSG_NOSIGNAL = 0x4000
export const MSG_WAITFORONE = 0x10000
export const POLLIN = 1
export const SHUT_WR = 1
export const EPOLL_CLOEXEC = 0x80000
export const EPOLL_CTL_ADD = 1
export const EPOLL_CTL_MOD = 3
export const EPOLLIN = 1
export const EPOLLOUT = 4
export const EPOLLERR = 8
export const EPOLLHUP = 16
/** Octets of a `struct epoll_event`, and where our own word stands in it: packed on x86 alone. */
export const EPOLL_EVENT = arch() === 'x64' ? { SIZE: 12, DATA: 4 } : { SIZE: 16, DATA: 8 }
export const EINTR = 4
export const EAGAIN = 11
export const ENFILE = 23
export const EMFILE = 24

/** Architectures whose headers of the socket calls are laid out as `batch.ts` has them: 64 bits, little end first. */
const ARCHITECTURES = ['x64', 'arm64', 'riscv64', 'loong64']

/** The system calls, or why they cannot be had here. */
export async function loadSystem(): Promise<System | string> {
  if (platform() !== 'linux') return `batched system calls are for Linux, this is ${platform()}`
  if (!ARCHITECTURES.includes(arch()) || endianness() !== 'LE') return `batched system calls are not laid out for ${arch()}`
  try {
    const { default: koffi } = await import('koffi')
    const libc = koffi.load(null)
    return {
      socket: libc.func('socket', 'int', ['int', 'int', 'int']),
      bind: libc.func('bind', 'int', ['int', 'uintptr_t', 'uint']),
      setsockopt: libc.func('setsockopt', 'int', ['int', 'int', 'int', 'uintptr_t', 'uint']),
      close: libc.func('close', 'int', ['int']),
      nanosleep: libc.func('nanosleep', 'int', ['uintptr_t', 'uintptr_t']),
      poll: libc.func('poll', 'int', ['uintptr_t', 'ulong', 'int']),
      recvmmsg: libc.func('recvmmsg', 'int', ['int', 'uintptr_t', 'uint', 'int', 'uintptr_t']),
      sendmmsg: libc.func('sendmmsg', 'int', ['int', 'uintptr_t', 'uint', 'int']),
      listen: libc.func('listen', 'int', ['int', 'int']),
      accept4: libc.func('accept4', 'int', ['int', 'uintptr_t', 'uintptr_t', 'int']),
      recv: libc.func('recv', 'int', ['int', 'uintptr_t', 'ulong', 'int']),
      send: libc.func('send', 'int', ['int', 'uintptr_t', 'ulong', 'int']),
      shutdown: libc.func('shutdown', 'int', ['int', 'int']),
      epoll_create1: libc.func('epoll_create1', 'int', ['int']),
      epoll_ctl: libc.func('epoll_ctl', 'int', ['int', 'int', 'int', 'uintptr_t']),
      epoll_wait: libc.func('epoll_wait', 'int', ['int', 'uintptr_t', 'int', 'int']),
      errno: () => koffi.errno(),
      alloc: (size) => {
        const pointer: unknown = koffi.alloc('uint8_t', size)
        const bytes = new Uint8Array(koffi.view(pointer, size))
        bytes.fill(0)
        return { address: Number(koffi.address(pointer)), bytes }
      }
    }
  } catch (error) {
    return `koffi does not load: ${error instanceof Error ? error.message : String(error)}`
  }
}
