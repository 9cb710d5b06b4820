import { createSocket } from 'node:dgram'
import { availableParallelism } from 'node:os'
import { parseAddress } from '../../core/address.ts'
import type { EarlyPlan, EarlyThreads } from '../../core/early-thread.ts'
import type { Logger } from '../../core/log.ts'
import { ownLines } from '../../core/own-lines.ts'
import { messageOf } from '../../core/trouble.ts'
import { portOwner } from './port-owner.ts'
import { BindError, ServingThread, THREAD, type ThreadPlan } from './serving-thread.ts'
import { loadSystem, type System } from './system.ts'
import { TRAFFIC, type Listener, type TcpLimits, type Traffic, type Lane } from './types.ts'
import { openUdpSocket } from './udp-socket.ts'

/** More threads than this gain nothing for one set of sockets. */
const MOST_THREADS = 4

export interface ServeOptions {
  readonly listen: readonly string[]
  readonly port: number
  /** UDP threads; `auto` is one per core, four at most. */
  readonly threads: number | 'auto'
  readonly tcp: TcpLimits
  /** Under load a thread may wait a little, so that queries gather: they cost less, and are answered a tenth of a millisecond later. */
  readonly gathers: boolean
  /** `dgram` does without batched system calls even where there are some. */
  readonly backend: 'auto' | 'dgram'
  /** The module whose `openResponder` each thread calls, and what it is given (a value per thread, numbered from 0). */
  readonly responder: { readonly module: URL; data(thread: number): unknown }
  /** What to answer from at first; see `use`. */
  readonly world: unknown
  /** How the operator sets the port and the addresses, for messages. */
  readonly settings: { readonly port: string; readonly listen: string }
  /** A new way to the exchange, for one thread; absent: there is no exchange. */
  readonly openLane?: () => Lane
  /** Threads that were begun as `threadPlans` says. */
  readonly early?: EarlyThreads
  readonly log: Logger
}

/** The sockets and threads of a running server. */
export interface Serving {
  /** `127.0.0.1:53/udp`, `[::1]:53/tcp` and so on. */
  readonly listening: readonly string[]
  /** What an operator should know about how it serves here, a line each. */
  readonly notes: readonly string[]
  /** Answers from another world, in every thread, from the next batch on. Resolves when no thread uses an older one. */
  use(world: unknown): Promise<void>
  /** Gives every thread a new way to the exchange, which has been started again. */
  relane(): void
  /** Totals over all threads since the start. */
  traffic(): Traffic
  /** Answers what has arrived, then ends every thread within `withinMs`. */
  close(withinMs: number): Promise<void>
}

/**
 * Binds every address and starts the threads that answer there over UDP and TCP.
 * @throws Error with one line that says which address cannot be used, why, and what helps
 */
export async function startServing(options: ServeOptions): Promise<Serving> {
  // No function below may hold `options`: it has the first world, which is large and is let go once another is in use.
  const { responder, tcp, gathers, log, early, openLane = () => undefined } = options
  const notes: string[] = []
  const listeners = await usableListeners(options, notes)
  const system = options.backend === 'dgram' ? 'set so' : await loadSystem()
  if (typeof system === 'string') notes.push(`UDP is served through node:dgram, at about twice the cost per query: ${system}`)
  const control = new Int32Array(...ownLines(4), 1)
  const now = { world: options.world, number: 0 }
  const threads: ServingThread[] = []
  const start = (plan: Pick<ThreadPlan, 'name' | 'kind' | 'listeners'>): ServingThread => {
    const own = { module: responder.module.href, data: responder.data(threads.length) }
    const thread = new ServingThread({ ...plan, responder: own, tcp, gathers, control, current: () => now, openLane, early: () => early?.take(THREAD), log })
    threads.push(thread)
    return thread
  }
  const close = async (withinMs: number): Promise<void> => {
    await Promise.all(threads.map((thread) => thread.close(withinMs)))
    if (typeof system !== 'string') for (const fd of descriptors) system.close(fd)
  }
  const descriptors: number[] = []
  try {
    // TCP first: its bind fails where another server listens, while UDP sockets that share an address would not.
    await start({ name: 'dns tcp', kind: typeof system === 'string' ? 'tcp' : 'tcp native', listeners }).ready
    const plans = typeof system === 'string' ? [{ name: 'dns udp', kind: 'dgram' as const, listeners }] : planNative(system, options, listeners, descriptors)
    await Promise.all(plans.map((plan) => start(plan).ready))
  } catch (error) {
    await close(500)
    throw error instanceof BindError ? new Error(bindTrouble(error, error.listener, 'tcp', options.settings)) : error
  }
  return {
    listening: listeners.flatMap(({ family, address, port }) => ['udp', 'tcp'].map((transport) => `${family === 4 ? address : `[${address}]`}:${port}/${transport}`)),
    notes,
    use: async (world) => {
      now.world = world
      now.number++
      const { number } = now
      const used = threads.map((thread) => thread.using(number))
      for (const thread of threads) thread.send({ kind: 'world', world, number })
      Atomics.add(control, 0, 1)
      await Promise.all(used)
    },
    relane: () => {
      for (const thread of threads) thread.relane()
      Atomics.add(control, 0, 1)
    },
    traffic: () => Object.fromEntries(TRAFFIC.map((name, slot) => [name, threads.reduce((sum, { traffic }) => sum + traffic[slot]!, 0)])) as Traffic,
    close
  }
}

/**
 * The threads of a server, to be begun before there is a world for them.
 * @param responder the module, as `ServeOptions.responder` has it
 */
export function threadPlans(threads: ServeOptions['threads'], responder: URL): EarlyPlan[] {
  return Array.from({ length: 1 + udpThreads(threads) }, () => ({ module: THREAD, name: 'dns', loads: [responder] }))
}

const udpThreads = (threads: ServeOptions['threads']): number => (threads === 'auto' ? Math.min(MOST_THREADS, availableParallelism()) : threads)

/** The sockets of the UDP threads are opened here, so that a thread that is started again finds them as they were. */
function planNative(system: System, { threads }: ServeOptions, listeners: readonly Listener[], descriptors: number[]): Pick<ThreadPlan, 'name' | 'kind' | 'listeners'>[] {
  return Array.from({ length: udpThreads(threads) }, (_, index) => ({
    name: `dns udp ${index}`,
    kind: 'native' as const,
    listeners: listeners.map((listener) => {
      const opened = openUdpSocket(system, listener)
      if ('errno' in opened) throw new Error(`cannot listen on ${listener.address} port ${listener.port} over UDP: error ${opened.errno}`)
      descriptors.push(opened.fd)
      return { ...listener, fd: opened.fd }
    })
  }))
}

/** Tries every address once, alone: what the system refuses is told in words, and a machine without ::1 goes without. */
async function usableListeners({ listen, port, settings, log }: ServeOptions, notes: string[]): Promise<Listener[]> {
  const listeners: Listener[] = []
  for (const address of new Set(listen)) {
    const { family, bytes } = parseAddress(address)!
    const listener: Listener = { family, address, port, wildcard: bytes.every((octet) => octet === 0) }
    const error = await tryBind(listener)
    if (error === undefined) {
      listeners.push(listener)
    } else if (address === '::1' && ['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL'].includes(error.code)) {
      notes.push('this machine has no ::1: DNS is not served there')
      log.warn('this machine has no ::1: DNS is not served there')
    } else {
      throw new Error(bindTrouble(error, listener, 'udp', settings))
    }
  }
  if (listeners.length === 0) throw new Error(`none of the addresses of ${settings.listen} is on this machine`)
  return listeners
}

function tryBind({ family, address, port }: Listener): Promise<{ code: string; message: string } | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', ipv6Only: family === 6 })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve({ code: error.code ?? '', message: messageOf(error) })
      socket.close()
    })
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(undefined)))
  })
}

/** One line: where, why, and what helps. */
function bindTrouble({ code, message }: { code: string; message: string }, listener: Listener, transport: 'udp' | 'tcp', settings: ServeOptions['settings']): string {
  const where = `${listener.address} port ${listener.port} over ${transport.toUpperCase()}`
  switch (code) {
    case 'EACCES':
      return `cannot listen on ${where}: ports below 1024 need root or CAP_NET_BIND_SERVICE (or set ${settings.port} to another, such as 5300)`
    case 'EADDRINUSE':
      return `cannot listen on ${where}: it is in use ${portOwner(listener, transport) || 'by another process'} (stop that one, or set ${settings.port} to another)`
    case 'EADDRNOTAVAIL':
      return `cannot listen on ${where}: this machine has no such address (see ${settings.listen})`
    default:
      return `cannot listen on ${where}: ${message}`
  }
}
