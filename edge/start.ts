import type { Setup } from '../core/channel.ts'
import type { Clock } from '../core/clock.ts'
import type { Config } from '../core/config.ts'
import type { Logger } from '../core/log.ts'
import { ownTls } from '../core/own-tls.ts'
import { joinMemory, makeCrew, type CrewPlace } from './crew/index.ts'
import { openCountries } from './country.ts'
import { MOST_FLIGHTS } from './flight.ts'
import { HttpServer, type Handler, type ServerLimits } from './http/index.ts'
import { makeInjector } from './inject.ts'
import { purge } from './purges.ts'
import type { RunningMate } from './running.ts'
import { serve } from './serve.ts'
import { Certificates, type CertificateFiles } from './tls/index.ts'
import { makeWorker } from './worker.ts'

/** Starts an edge, regional or shield; throws, in words for the operator, when it cannot listen. */
export async function startWorker(options: { setup: Setup; clock: Clock; log: Logger; place?: CrewPlace }): Promise<RunningMate> {
  const { clock, log, place } = options
  const parts = partsOf(options.setup.config, place)
  const setup = { ...options.setup, config: parts.config }
  const { config, ports, role, name } = setup
  const addresses = membersOf(config, role)?.[name]?.address
  if (addresses === undefined) throw new Error(`the configuration has no ${role} ${name}`)
  const countryOf = role === 'edge' ? await openCountries(config, setup.stateFolder) : undefined
  const limits = limitsOf(config, role)
  const shares = place && joinMemory(place.memory, { ...place, clients: limits.clients, perAddress: limits.clientsPerAddress })
  const worker = makeWorker({ ...options, setup, countryOf, share: place && { ...place, ...shares! }, measured: (row) => worker.crew?.measured(row), replaced: (primary) => worker.crew?.replaced(primary) })
  const handle: Handler = (request, reply) => {
    try {
      serve(worker, request, reply)
    } catch (error) {
      // Our own fault: this client is cut off, the others are served on.
      worker.counters.errors++
      log.error({ err: error, host: request.host, target: request.target }, 'a request could not be served')
      reply.abort()
    }
  }
  if (place !== undefined) worker.crew = makeCrew(worker, { place, shares: shares!, lentMemory: parts.lent, seed: Number.parseInt(setup.tierSecret.slice(0, 8), 16), handle, hear: (row) => worker.viewers?.hear(row) })
  const injector = makeInjector(worker, handle)
  const server = new HttpServer({
    limits,
    clock,
    seats: shares?.seats,
    ...(worker.viewers !== undefined && { connected: worker.viewers.connected }),
    handle: injector.handle,
    fault: worker.fault
  })
  const shared = place !== undefined
  const listening = await server.listen({ addresses, port: ports.http, shared })
  const certificates = role === 'edge' && config.https !== undefined ? await openCertificates(options, config.https) : undefined
  if (certificates !== undefined) listening.push(...(await server.listen({ addresses, port: ports.https ?? config.https!.port, tls: certificates, shared })))
  return {
    listening,
    counters: () => ({ ...worker.counters, bytesSent: server.bytesSent, stored: worker.store.size + (worker.crew?.lentOctets ?? 0), objects: worker.store.count }),
    trouble: () => (worker.disk?.trouble === undefined ? undefined : `its disk fails, memory alone takes in what is new: ${worker.disk.trouble}`),
    inject: injector.use,
    purge: (order) => purge(worker, order),
    downOrigins: (names) => {
      for (const origin of Object.keys(config.origins)) worker.standingOf('origin', origin).isDown = names.includes(origin)
    },
    join: (mate, port) => worker.crew?.join(mate, port),
    close: async (withinMs, drained) => {
      certificates?.close()
      await server.close(withinMs)
      await drained?.()
      worker.asker.client.close()
      await worker.disk?.close()
    }
  }
}

/** What the tiers below add to a viewer's head on its way, with room to spare: Via, CDN-Loop, the proof and the like. */
const ADDED = { octets: 2048, fields: 16 }

/**
 * Regionals and shields let through whatever an edge may send them, however its viewers ask: a refusal carries no proof, so
 * that the tier would be taken for a stranger and passed by.
 */
function limitsOf({ http, https }: Config, role: Setup['role']): ServerLimits {
  const times = { idleMs: http.idle, handshakeMs: https?.['handshake-timeout'] ?? http['head-timeout'], http2: https?.http2 ?? false, streams: https?.streams ?? 100, tunnelIdleMs: http['tunnel-idle'], headTimeoutMs: http['head-timeout'], bodySize: http['body-size'], leastRate: http['least-rate'] / 1000, clients: http.clients }
  const urlLength = http['url-length']
  if (role === 'edge') return { headSize: http['header-size'], fields: http['header-count'], urlLength, clientsPerAddress: http['clients-per-address'], ...times }
  const clientsPerAddress = Math.max(http['clients-per-address'], 2 * MOST_FLIGHTS)
  return { headSize: http['header-size'] + ADDED.octets, fields: http['header-count'] + ADDED.fields, urlLength, clientsPerAddress, ...times }
}

/** Of a worker's memory, for what others have lent it. */
const LENT_PART = 1 / 8

/** What one worker of several has of the memory and the disk of its edge. */
function partsOf(config: Config, place: CrewPlace | undefined): { readonly config: Config; readonly lent: number } {
  if (place === undefined) return { config, lent: 0 }
  const { memory, disk } = config.cache
  const part = Math.floor(memory / place.workers)
  const lent = Math.floor(part * LENT_PART)
  return { config: { ...config, cache: { ...config.cache, memory: part - lent, disk: Math.floor(disk / place.workers) } }, lent }
}

function membersOf(config: Config, role: Setup['role']): Record<string, { address: string[] }> | undefined {
  return role === 'edge' ? config.edges : role === 'regional' ? config.regionals : role === 'shield' ? config.shields : undefined
}

/** Those of the distributions, and one for all others: the operator's, else the fleet's own. */
async function openCertificates({ setup, clock, log }: { setup: Setup; clock: Clock; log: Logger }, https: NonNullable<Config['https']>): Promise<Certificates> {
  const { domain, distributions } = setup.config
  const own = ownTls(setup.stateFolder)
  const files: CertificateFiles[] = [{ certificate: https.certificate ?? own.certificate, key: https.key ?? own.key, names: [] }]
  for (const [id, { certificate, key, aliases }] of Object.entries(distributions)) {
    if (certificate !== undefined && key !== undefined) files.push({ certificate, key, names: [`${id}.${domain}`, ...aliases] })
  }
  const certificates = new Certificates({ files, ticketFile: own.tickets, log, now: () => clock.now() })
  await certificates.open()
  return certificates
}
