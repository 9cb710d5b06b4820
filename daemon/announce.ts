import { Anycast, type OwnEdge } from './anycast/index.ts'
import type { Health, MemberStatus } from './control/index.ts'
import type { Pops } from './pops/index.ts'
import type { Service } from './service.ts'
import type { Setup } from '../core/channel.ts'
import { systemAfter, systemClock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'

interface AnycastParts {
  readonly setup: Setup
  readonly health: Health
  readonly service: Service
  readonly pops: Pops | undefined
  readonly log: Logger
}

/** Announcements, where there are any to make. */
export function startAnycast({ setup: { config, ports, stateFolder }, health, service, pops, log }: AnycastParts): Anycast | undefined {
  const { anycast, edges } = config
  if (anycast === undefined) return undefined
  const own = Object.keys(edges).filter((name) => edges[name]!.pop === undefined || edges[name]!.pop === config.pops?.name)
  const edgeOf = ({ name, addresses, health, answerable, process, requestsPerSecond = 0 }: MemberStatus): OwnEdge => {
    const isUp = answerable === false || (process !== undefined && process !== 'running') ? false : health === 'UNKNOWN' ? undefined : health === 'UP'
    return { name, addresses, isUp, requestsPerSecond, capacity: edges[name]!.capacity }
  }
  return new Anycast({
    config: { ...config, anycast },
    ports,
    stateFolder,
    channel: pops?.channel,
    edges: () => health.members().filter(({ name }) => own.includes(name)).map(edgeOf),
    zone: () => (service.status().zones.find(({ state }) => state === 'current') ?? service.status().zones[0])?.origin,
    settled: () => health.settled(),
    changed: (prefix, { state, reasons }) => health.announced(prefix, state, reasons.join('; ')),
    clock: systemClock,
    after: systemAfter,
    log
  })
}
