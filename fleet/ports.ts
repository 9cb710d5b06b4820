import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import type { Ports } from '../core/channel.ts'
import type { Config } from '../core/config.ts'
import { rosterOf } from './roster.ts'

/** Ports that the command line fixes; the others come from the configuration. */
export interface PortWishes {
  readonly dns?: number
  readonly http?: number
  readonly https?: number
  readonly admin?: number
}

export interface ChosenPorts {
  readonly ports: Ports
  /** The addresses of `dns.listen` that this machine has. */
  readonly listen: readonly string[]
  /** Why `auto` did not come to port 53. */
  readonly not53?: string
  /** Lines for the operator: what was not as asked for. */
  readonly notes: readonly string[]
}

/** How many ports past the one asked for are tried. */
const REACH = 100
const WELL_KNOWN = 53
const FALLBACK = 5300

type Transport = 'udp' | 'tcp'

/**
 * Binds as a daemon would, but without sharing the port, and lets go again.
 * @returns undefined when it is free and allowed, else the error's code such as EADDRINUSE
 */
export function trialBind(transport: Transport, address: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const six = address.includes(':')
    if (transport === 'tcp') {
      const server = createServer()
      server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      server.listen({ host: address, port, ipv6Only: six, exclusive: true }, () => server.close(() => resolve(undefined)))
      return
    }
    const socket = createSocket({ type: six ? 'udp6' : 'udp4', ipv6Only: six })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close()
      resolve(error.code ?? error.message)
    })
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(undefined)))
  })
}

/**
 * Settles every port of a fleet with trial binds.
 * @returns the ports, or the reason in one line when there are none
 */
export async function choosePorts(config: Config, wishes: PortWishes): Promise<ChosenPorts | string> {
  const notes: string[] = []
  const listen = await presentAddresses(config.dns.listen, notes)
  if (typeof listen === 'string') return listen
  const dns = await chooseDns(listen, wishes.dns ?? config.dns.port)
  if (typeof dns === 'string') return dns
  const { port: dnsPort, not53 } = dns
  const owners = new Map<string, string>()
  for (const { addresses, role, name } of rosterOf(config)) for (const address of addresses) owners.set(address, `${role} ${name}`)
  const edges = new Map([...owners].filter(([, owner]) => owner.startsWith('edge ')))
  const taken = new Set([dnsPort])
  const next = async (what: string, wanted: number, where: ReadonlyMap<string, string>): Promise<number | string> => {
    const found = await nextFree(what, wanted, where, taken)
    if (typeof found === 'string') return found
    taken.add(found)
    if (found !== wanted) notes.push(`${what} port ${wanted} is taken: using ${found}`)
    return found
  }
  const http = await next('HTTP', wishes.http ?? config.http.port, owners)
  if (typeof http === 'string') return http
  if (config.https === undefined && wishes.https !== undefined) notes.push(`HTTPS port ${wishes.https} is not opened: nearcast.yaml has no https:`)
  const https = config.https === undefined ? undefined : await next('HTTPS', wishes.https ?? config.https.port, edges)
  if (typeof https === 'string') return https
  const admin = await next('admin', wishes.admin ?? config.admin.port, new Map([[config.admin.listen, 'admin.listen']]))
  if (typeof admin === 'string') return admin
  const ports = { dns: dnsPort, http, admin, ...(https !== undefined && { https }) }
  return { ports, listen, notes, ...(not53 !== undefined && { not53 }) }
}

/** Leaves out what this machine does not have, such as ::1 where IPv6 is switched off. */
async function presentAddresses(wanted: readonly string[], notes: string[]): Promise<string[] | string> {
  const present: string[] = []
  for (const address of wanted) {
    const trouble = await trialBind('udp', address, 0)
    if (trouble === undefined) present.push(address)
    else notes.push(`this machine has no ${address}: DNS does not listen there`)
  }
  return present.length > 0 ? present : `none of the addresses of dns.listen is one of this machine's: ${wanted.join(', ')}`
}

async function chooseDns(listen: readonly string[], wanted: number | 'auto'): Promise<{ port: number; not53?: string } | string> {
  const not53 = wanted === 'auto' ? await dnsTrouble(listen, WELL_KNOWN) : undefined
  if (wanted === 'auto' && not53 === undefined) return { port: WELL_KNOWN }
  const port = wanted === 'auto' ? FALLBACK : wanted
  const trouble = await dnsTrouble(listen, port)
  if (trouble !== undefined) return `DNS cannot listen on ${trouble.where}: ${trouble.reason}; another one is chosen with --port N`
  return not53 === undefined ? { port } : { port, not53: not53.reason }
}

async function dnsTrouble(listen: readonly string[], port: number): Promise<{ where: string; reason: string } | undefined> {
  for (const address of listen) {
    for (const transport of ['udp', 'tcp'] as const) {
      const code = await trialBind(transport, address, port)
      if (code !== undefined) return { where: `${address} port ${port} (${transport.toUpperCase()})`, reason: reasonOf(code, port) }
    }
  }
  return undefined
}

async function nextFree(what: string, wanted: number, where: ReadonlyMap<string, string>, taken: ReadonlySet<number>): Promise<number | string> {
  let last = 'taken'
  for (let port = wanted; port < wanted + REACH && port <= 65535; port++) {
    if (taken.has(port)) continue
    let free = true
    for (const [address, owner] of where) {
      const code = await trialBind('tcp', address, port)
      if (code === undefined) continue
      last = `${address} port ${port} (${owner}): ${reasonOf(code, port)}`
      if (code !== 'EADDRINUSE') return `${what} cannot listen on ${last}`
      free = false
      break
    }
    if (free) return port
  }
  return `${what} has no free port from ${wanted} on: ${last}`
}

function reasonOf(code: string, port: number): string {
  if (code === 'EADDRINUSE') return 'taken by another process'
  if (code === 'EACCES' || code === 'EPERM') return `not allowed${port < 1024 ? ': ports below 1024 need root or CAP_NET_BIND_SERVICE' : ''}`
  if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT') return 'this machine has no such address'
  return code
}
