import { native } from '../core/native.ts'

// What systemd is told (sd_notify(3)): one datagram over a unix socket, which Node.js has none of.

const AF_UNIX = 1
const SOCK_DGRAM_CLOEXEC = 0o2000002
const MSG_NOSIGNAL = 0x4000
/** Octets of a path in struct sockaddr_un. */
const LONGEST_PATH = 107

/** @param path of NOTIFY_SOCKET; `@` begins an abstract one @returns what sends a state, or says why it cannot */
export function openNotify(path: string): ((state: string) => void) | string {
  const library = native()
  if (library === undefined) return 'koffi has no binary for this system'
  const name = Buffer.from(path)
  if (name.length === 0 || name.length > LONGEST_PATH || !['@', '/'].includes(path[0]!)) return `${path} is no socket`
  if (path.startsWith('@')) name[0] = 0
  const address = Buffer.alloc(2 + name.length)
  address.writeUInt16LE(AF_UNIX)
  name.copy(address, 2)
  const send = library.call('long sendto(int, const void *, size_t, int, const void *, unsigned int)')
  const fd = library.call('int socket(int, int, int)')(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0)
  if (fd < 0) return `error ${library.errno()}`
  return (state) => {
    const octets = Buffer.from(state)
    send(fd, octets, octets.length, MSG_NOSIGNAL, address, address.length)
  }
}

/** Tells systemd that all is up, and from then on that this process lives, as often as it wants to hear that. Does nothing elsewhere. */
export function tellSystemd({ socket, watchdogUs }: { readonly socket: string | undefined; readonly watchdogUs: number }, ready: Promise<unknown>, warn: (line: string) => void): void {
  if (socket === undefined) return
  const notify = openNotify(socket)
  if (typeof notify === 'string') return warn(`systemd cannot be told that this runs: ${notify}`)
  void ready.then(() => {
    notify('READY=1')
    if (watchdogUs > 0) setInterval(() => notify('WATCHDOG=1'), watchdogUs / 2000 / 2).unref()
  })
}
