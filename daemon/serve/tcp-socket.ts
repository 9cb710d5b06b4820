import { parseAddress } from '../../core/address.ts'
import * as sys from './system.ts'
import type { System } from './system.ts'
import type { Listener } from './types.ts'

/** Names of the errors that a bind is told with. */
const CODES: Readonly<Record<number, string>> = { 13: 'EACCES', 98: 'EADDRINUSE', 99: 'EADDRNOTAVAIL' }

/**
 * Opens a TCP socket that listens.
 * @returns the descriptor
 * @throws Error with `code` and `listener`
 */
export function openTcpSocket(system: System, listener: Listener, backlog: number): number {
  const { family, address, port } = listener
  const fd = system.socket(family === 4 ? sys.AF_INET : sys.AF_INET6, sys.SOCK_STREAM | sys.SOCK_NONBLOCK | sys.SOCK_CLOEXEC, 0)
  const scratch = system.alloc(32)
  const view = new DataView(scratch.bytes.buffer, scratch.bytes.byteOffset)
  const setOption = (level: number, option: number): void => {
    view.setInt32(0, 1, true)
    system.setsockopt(fd, level, option, scratch.address, 4)
  }
  // Connections of a server before it that still end are no hindrance.
  setOption(sys.SOL_SOCKET, sys.SO_REUSEADDR)
  if (family === 6) setOption(sys.IPPROTO_IPV6, sys.IPV6_V6ONLY)
  scratch.bytes.fill(0)
  view.setUint16(0, family === 4 ? sys.AF_INET : sys.AF_INET6, true)
  view.setUint16(2, port, false)
  scratch.bytes.set(parseAddress(address)!.bytes, family === 4 ? 4 : 8)
  if (fd < 0 || system.bind(fd, scratch.address, family === 4 ? 16 : 28) < 0 || system.listen(fd, backlog) < 0) {
    const errno = system.errno()
    if (fd >= 0) system.close(fd)
    throw Object.assign(new Error(`listen: error ${errno}`), { code: CODES[errno] ?? String(errno), listener })
  }
  return fd
}
