import { parseAddress } from '../../core/address.ts'
import * as sys from './system.ts'
import type { System } from './system.ts'
import type { Listener } from './types.ts'

/** How long a receive waits before the thread looks at what it was told meanwhile. */
export const RECEIVE_TIMEOUT_MS = 100
/** Asked of the kernel, which gives less where it is not root that asks. */
const RECEIVE_BUFFER = 4 << 20

/**
 * Opens a UDP socket that shares its address with others of its kind (SO_REUSEPORT).
 * @returns the descriptor, or the number of the error
 */
export function openUdpSocket(system: System, listener: Listener): { fd: number } | { errno: number } {
  const { family, wildcard } = listener
  const fd = system.socket(family === 4 ? sys.AF_INET : sys.AF_INET6, sys.SOCK_DGRAM | sys.SOCK_CLOEXEC, 0)
  if (fd < 0) return { errno: system.errno() }
  const scratch = system.alloc(64)
  const view = new DataView(scratch.bytes.buffer, scratch.bytes.byteOffset)
  const setInt = (level: number, option: number, value: number): boolean => {
    view.setInt32(0, value, true)
    return system.setsockopt(fd, level, option, scratch.address, 4) === 0
  }
  const setTime = (option: number, milliseconds: number): void => {
    view.setBigInt64(0, 0n, true)
    view.setBigInt64(8, BigInt(milliseconds * 1000), true)
    system.setsockopt(fd, sys.SOL_SOCKET, option, scratch.address, 16)
  }
  setInt(sys.SOL_SOCKET, sys.SO_REUSEPORT, 1)
  if (!setInt(sys.SOL_SOCKET, sys.SO_RCVBUFFORCE, RECEIVE_BUFFER)) setInt(sys.SOL_SOCKET, sys.SO_RCVBUF, RECEIVE_BUFFER)
  setTime(sys.SO_RCVTIMEO, RECEIVE_TIMEOUT_MS)
  setTime(sys.SO_SNDTIMEO, RECEIVE_TIMEOUT_MS)
  if (family === 4) {
    // Answers are short enough for every path; a forged "fragmentation needed" shall not make us fragment.
    setInt(sys.IPPROTO_IP, sys.IP_MTU_DISCOVER, sys.IP_PMTUDISC_OMIT)
    if (wildcard) setInt(sys.IPPROTO_IP, sys.IP_PKTINFO, 1)
  } else {
    setInt(sys.IPPROTO_IPV6, sys.IPV6_V6ONLY, 1)
    setInt(sys.IPPROTO_IPV6, sys.IPV6_MTU_DISCOVER, sys.IP_PMTUDISC_OMIT)
    if (wildcard) setInt(sys.IPPROTO_IPV6, sys.IPV6_RECVPKTINFO, 1)
  }
  scratch.bytes.fill(0)
  view.setUint16(0, family === 4 ? sys.AF_INET : sys.AF_INET6, true)
  view.setUint16(2, listener.port, false)
  scratch.bytes.set(parseAddress(listener.address)!.bytes, family === 4 ? 4 : 8)
  if (system.bind(fd, scratch.address, family === 4 ? 16 : 28) < 0) {
    const errno = system.errno()
    system.close(fd)
    return { errno }
  }
  return { fd }
}
