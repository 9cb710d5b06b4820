import { readFileSync } from 'node:fs'
import type { Counters, Injection, Setup } from '../core/channel.ts'
import type { Clock } from '../core/clock.ts'
import type { Config } from '../core/config.ts'
import type { Logger } from '../core/log.ts'
import { messageOf } from '../core/trouble.ts'
import { MOST_FLIGHTS } from './flight.ts'
import { HttpServer, type Listening, type ServerLimits } from './http/index.ts'
import { makeInjector } from './inject.ts'
import { serve } from './serve.ts'
import { makeWorker } from './worker.ts'

export interface RunningWorker {
  /** `http://127.0.10.1:8080`, one for each listener. */
  readonly listening: readonly string[]
  counters(): Counters
  /** From now on requests fare as a rehearsal says; absent: as they should. */
  inject(injection: Injection | undefined): void
  /** Finishes what is under way within this long. */
  close(withinMs: number): Promise<void>
}

/** Starts an edge, regional or shield; throws, in words for the operator, when it cannot listen. */
export async function startWorker(options: { setup: Setup; clock: Clock; log: Logger }): Promise<RunningWorker> {
  const { setup, clock, log } = options
  const { config, ports, role, name } = setup
  const addresses = membersOf(config, role)?.[name]?.address
  if (addresses === undefined) throw new Error(`the configuration has no ${role} ${name}`)
  const worker = makeWorker(options)
  const injector = makeInjector(worker, (request, reply) => {
    try {
      serve(worker, request, reply)
    } catch (error) {
      // Our own fault: this client is cut off, the others are served on.
      worker.counters.errors++
      log.error({ err: error, host: request.host, target: request.target }, 'a request could not be served')
      reply.abort()
    }
  })
  const server = new HttpServer({
    limits: limitsOf(config.http, role),
    clock,
    ...(worker.viewers !== undefined && { connected: worker.viewers.connected }),
    handle: injector.handle
  })
  const listening = await server.listen({ addresses, port: ports.http })
  if (role === 'edge' && config.https !== undefined) listening.push(...(await server.listen({ addresses, port: ports.https ?? config.https.port, tls: readCertificate(config.https) })))
  return {
    listening,
    counters: () => ({ ...worker.counters, bytesSent: server.bytesSent, stored: worker.store.size, objects: worker.store.count }),
    inject: injector.use,
    close: async (withinMs) => {
      await server.close(withinMs)
      worker.asker.client.close()
    }
  }
}

const MOST_FIELDS = 128
/** What the tiers below add to a viewer's head on its way, with room to spare: Via, CDN-Loop, the proof and the like. */
const ADDED = { octets: 2048, fields: 16 }

/**
 * Regionals and shields let through whatever an edge may send them, however its viewers ask: a refusal carries no proof, so
 * that the tier would be taken for a stranger and passed by.
 */
function limitsOf(http: Config['http'], role: Setup['role']): ServerLimits {
  const times = { idleMs: http.idle, headTimeoutMs: http['head-timeout'], bodySize: http['body-size'] }
  const urlLength = http['url-length']
  if (role === 'edge') return { headSize: http['header-size'], fields: MOST_FIELDS, urlLength, clientsPerAddress: http['clients-per-address'], ...times }
  const clientsPerAddress = Math.max(http['clients-per-address'], 2 * MOST_FLIGHTS)
  return { headSize: http['header-size'] + ADDED.octets, fields: MOST_FIELDS + ADDED.fields, urlLength, clientsPerAddress, ...times }
}

function membersOf(config: Config, role: Setup['role']): Record<string, { address: string[] }> | undefined {
  return role === 'edge' ? config.edges : role === 'regional' ? config.regionals : role === 'shield' ? config.shields : undefined
}

function readCertificate(https: NonNullable<Config['https']>): NonNullable<Listening['tls']> {
  return { certificate: readPem(https.certificate), key: readPem(https.key) }
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`https: cannot read ${path}: ${messageOf(error)}`, { cause: error })
  }
}
