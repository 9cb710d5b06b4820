import { getSystemErrorMap } from 'node:util'
import { parseAddress } from '../../core/address.ts'
import { native } from '../../core/native.ts'

const AF_INET = 2
const AF_INET6 = 10
const SOCK_STREAM = 1
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_REUSEPORT = 15

/** Whether several sockets can listen on one port here, among which the kernel shares the connections out. */
export const canSharePort = (): boolean => process.platform === 'linux' && native() !== undefined

/**
 * Binds a TCP socket that shares its port with others of this user (SO_REUSEPORT), which Node.js can do from version 23 on only.
 * @returns its descriptor; whoever listens by it has it closed
 * @throws what the system said, in the words of Node
 */
export function bindSharedPort(address: string, port: number): number {
  const { call, errno } = native()!
  const { family, bytes } = parseAddress(address)!
  const failed = (what: string): Error => {
    const [name, text] = getSystemErrorMap().get(-errno()) ?? [`error ${errno()}`, 'unknown']
    return new Error(`${what} ${name}: ${text} ${address}:${port}`)
  }
  const fd = call('int socket(int, int, int)')(family === 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)
  if (fd < 0) throw failed('socket')
  const one = Int32Array.of(1)
  const set = call('int setsockopt(int, int, int, void *, unsigned int)')
  for (const option of [SO_REUSEADDR, SO_REUSEPORT]) set(fd, SOL_SOCKET, option, one, 4)
  const where = socketAddress(family, bytes, port)
  if (call('int bind(int, void *, unsigned int)')(fd, where, where.length) === 0) return fd
  const error = failed('listen')
  call('int close(int)')(fd)
  throw error
}

/** As `struct sockaddr_in` and `sockaddr_in6` have it. */
function socketAddress(family: 4 | 6, bytes: Uint8Array, port: number): Uint8Array {
  const where = new Uint8Array(family === 4 ? 16 : 28)
  new Uint16Array(where.buffer, 0, 1)[0] = family === 4 ? AF_INET : AF_INET6
  where[2] = port >>> 8
  where[3] = port & 0xff
  where.set(bytes, family === 4 ? 4 : 8)
  return where
}
