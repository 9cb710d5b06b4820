import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { Listener } from './types.ts'

/**
 * Who holds a port, as far as /proc shows it: `by named (pid 712)`; empty where it does not. Looks at the processes this
 * user may look into.
 */
export function portOwner({ port }: Listener, transport: 'udp' | 'tcp'): string {
  try {
    const sockets = new Set([...socketsOf(`/proc/net/${transport}`, port), ...socketsOf(`/proc/net/${transport}6`, port)])
    const owner = sockets.size === 0 ? undefined : findOwner(sockets)
    return owner === undefined ? '' : `by ${owner.name} (pid ${owner.pid})`
  } catch {
    return ''
  }
}

/** Inodes of the sockets bound to a local port: `sl local_address rem_address st … uid timeout inode`. */
function socketsOf(file: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return readFileSync(file, 'latin1')
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    // 0A and 07: listening TCP, bound UDP; connections do not hold a port against us.
    .filter((fields) => fields[1]?.endsWith(suffix) === true && (fields[3] === '0A' || fields[3] === '07'))
    .map((fields) => `socket:[${fields[9]}]`)
}

function findOwner(sockets: ReadonlySet<string>): { pid: string; name: string } | undefined {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        if (sockets.has(readlinkSync(`/proc/${pid}/fd/${fd}`))) return { pid, name: readFileSync(`/proc/${pid}/comm`, 'utf8').trim() }
      }
    } catch {
      // Another user's, or gone meanwhile.
    }
  }
  return undefined
}
