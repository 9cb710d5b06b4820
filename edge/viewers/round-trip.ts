import type { Socket } from 'node:net'
import { native } from '../../core/native.ts'

const IPPROTO_TCP = 6
const TCP_INFO = 11
/** Of `struct tcp_info` (linux/tcp.h), which only ever grows at its end: microseconds. */
const RTT = 68
const MIN_RTT = 148
const SIZE = 152
const NEVER = 0xffffffff

/**
 * Reads what the kernel knows of the round trip of a connection: the least of its recent ones, the handshake's among them,
 * for a client's delayed acknowledgements make the others longer. Milliseconds; undefined when it knows none, as with SYN
 * cookies. Undefined altogether where this is not Linux or koffi has no binary.
 */
export function openRoundTrip(): ((socket: Socket) => number | undefined) | undefined {
  if (process.platform !== 'linux') return undefined
  const getsockopt = native()?.call('int getsockopt(int, int, int, void *, void *)')
  if (getsockopt === undefined) return undefined
  const info = new Uint8Array(SIZE)
  const size = new Uint32Array(1)
  const view = new DataView(info.buffer)
  const isLittle = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
  return (socket) => {
    const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd
    if (fd === undefined || fd < 0) return undefined
    size[0] = SIZE
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, size) !== 0 || size[0] < RTT + 4) return undefined
    // Kernels before 4.6 have no minimum.
    const least = size[0] < SIZE ? view.getUint32(RTT, isLittle) : view.getUint32(MIN_RTT, isLittle)
    return least === 0 || least === NEVER ? undefined : least / 1000
  }
}
