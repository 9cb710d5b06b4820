import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { Channel, FromProcess, Member, Setup } from '../../core/channel.ts'
import { configSchema } from '../../core/config.ts'
import { makeFleetRequests, startHealth, type DaemonStatus, type FleetRequests, type Health } from '../../daemon/control/index.ts'
import type { ProbeResult } from '../../healthchecks/index.ts'
import { makeManualClock, type ManualClock } from '../helpers/manual-clock.ts'

export const token = 'f'.repeat(64)
export const silent = pino({ level: 'silent' })

export function makeSetup(stateFolder = mkdtempSync(join(tmpdir(), 'nearcast-control-')), adminPort = 12053): Setup {
  const config = configSchema.parse({
    edges: {
      icn: { address: '127.0.10.1', city: 'Seoul', at: [37.46, 126.44], parent: 'apac' },
      fra: { address: '127.0.10.3', city: 'Frankfurt', at: [50.03, 8.56] }
    },
    regionals: { apac: { address: '127.0.11.1', city: 'Tokyo', shield: 'tokyo' } },
    shields: { tokyo: { address: '127.0.12.1' } },
    origins: { demo: { demo: '127.0.13.1' } }
  })
  const ports = { dns: 12530, http: 12080, admin: adminPort }
  return { role: 'daemon', name: 'dns', config, ports, stateFolder, zonesFolder: '/nonexistent', zonesLabel: 'zones/', tierSecret: '0'.repeat(64), adminToken: token, readable: false }
}

export const daemonStatus: DaemonStatus = {
  version: '0.1.0',
  startedAt: 0,
  listening: [],
  geo: { about: 'none', local: 'KR' },
  names: ['d111111abcdef8.nearcast.test.'],
  routedTtl: 20,
  zones: [],
  secondaries: [],
  reload: { faults: [] },
  queries: { total: 0, perSecond: 0, counters: {} }
}

/** A supervisor of processes that are only words: it does what it is asked at once and tells the daemon. */
export interface ToyFleet {
  readonly time: ManualClock
  readonly health: Health
  readonly requests: FleetRequests
  /** `verb name`, in the order in which they were asked. */
  readonly asked: string[]
  /** What the supervisor answers instead of doing it. */
  refuseWith(reason: string | undefined): void
  set(name: string, state: Member['state'], why?: string): void
  state(name: string): Member['state'] | undefined
}

export function makeToyFleet(setup: Setup, time = makeManualClock()): ToyFleet {
  const { clock, after } = time
  const asked: string[] = []
  const members = new Map<string, Member>()
  let refusal: string | undefined
  const answers = (name: string): ProbeResult => (members.get(name)?.state === 'running' ? { passed: true, why: 'status 200', ms: 1 } : { passed: false, refused: true, why: 'connection refused', ms: 1 })
  const nameOf = new Map([...Object.entries(setup.config.edges), ...Object.entries(setup.config.regionals), ...Object.entries(setup.config.shields)].map(([name, member]) => [member.address[0]!, name]))
  const rounds = (_: string, begin: (lengthMs: number, first: boolean) => void): (() => void) => {
    let cancel = (): void => undefined
    const next = (first: boolean): void => {
      begin(30_000, first)
      cancel = after(30_000, () => next(false))
    }
    next(true)
    return () => cancel()
  }
  const health = startHealth({ setup, clock, after, log: silent, rounds, probe: async (spec) => answers(nameOf.get(spec.addresses[0]!)!) })
  const set = (name: string, state: Member['state'], why = ''): void => {
    const role = name === 'dns' ? 'daemon' : name === 'demo' ? 'origin' : name in setup.config.edges ? 'edge' : name in setup.config.regionals ? 'regional' : 'shield'
    members.set(name, { name, role, pid: 1, state, since: clock.now(), why, restarts: 0 })
    health.fleet([...members.values()])
  }
  const channel: Channel = {
    send: (message: FromProcess) => {
      if (message.kind !== 'request') return
      asked.push(`${message.verb} ${message.name}`)
      if (refusal !== undefined) {
        requests.reply({ kind: 'reply', id: message.id, error: refusal })
        return
      }
      if (message.verb === 'start') set(message.name, 'running', 'ready')
      else set(message.name, message.verb === 'stop' ? 'stopped' : 'failed', message.verb === 'stop' ? 'by operator' : 'killed by SIGKILL')
      requests.reply({ kind: 'reply', id: message.id })
    }
  }
  const requests = makeFleetRequests(channel, after)
  for (const name of ['icn', 'fra', 'apac', 'tokyo', 'demo', 'dns']) set(name, 'running', 'ready')
  return {
    time,
    health,
    requests,
    asked,
    refuseWith: (reason) => {
      refusal = reason
    },
    set,
    state: (name) => members.get(name)?.state
  }
}
