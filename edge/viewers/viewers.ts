import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { clientNetwork, isSpecialNetwork } from '../../core/client-network.ts'
import type { Clock } from '../../core/clock.ts'
import type { Config } from '../../core/config.ts'
import type { LatencyReport } from '../../core/latency-report.ts'
import { makeMedians } from './medians.ts'
import { makeTurnstile, readReport } from './reports.ts'
import { openRoundTrip } from './round-trip.ts'
import { edgeUrls, latencyScript } from './script.ts'

/** A round trip to one viewer, as it is kept. */
export interface MeasuredRow {
  readonly network: string
  /** Number of the edge. */
  readonly target: number
  readonly voter: number
  readonly ms: number
}

export interface Viewers {
  /** A viewer has connected. */
  connected(socket: Socket): void
  /** The script for browsers; undefined when they are not to measure. */
  readonly script: string | undefined
  /** Takes a report of a browser at this address; a text says why it is not taken. */
  report(address: string, text: string): 'taken' | 'too soon' | { readonly wrong: string }
  /** Takes what another worker of this edge has measured. */
  hear(row: MeasuredRow): void
  /** What has changed since an earlier answer; `since` is its `boot` and `at`, joined by a full stop. */
  rows(since: string | undefined): LatencyReport
}

/** Connections looked at in a second: the rest would tell little more. */
const MOST_A_SECOND = 500
/** A browser reports once a page; many browsers stand behind one address. */
const REPORT_EVERY_MS = 2000
const MOST_REPORTERS = 4096
/** Longer round trips are no way to a viewer, but a client that does not answer. */
const LONGEST_MS = 4000

/** @param options `also` is told of each that was measured here */
export function makeViewers(options: { readonly config: Config; readonly name: string; readonly httpPort: number; readonly clock: Clock; readonly also?: ((row: MeasuredRow) => void) | undefined }): Viewers | undefined {
  const { config, name, httpPort, clock } = options
  const { latency } = config
  if (!latency.measure) return undefined
  const edges = Object.keys(config.edges)
  const self = edges.indexOf(name)
  const random = randomBytes(8)
  const boot = random.toString('hex')
  const medians = makeMedians({ cells: latency.networks, halfLifeMs: latency['half-life'], leastAddresses: latency.addresses, leastSamples: latency.samples }, random.readInt32LE(0))
  const roundTrip = openRoundTrip()
  const mayReport = makeTurnstile(REPORT_EVERY_MS, MOST_REPORTERS)
  const counts = (network: string): boolean => latency.local || !isSpecialNetwork(network)
  const add = (network: string, target: number, voter: number, ms: number, now: number): void => {
    medians.add(network, target, voter, ms, now)
    options.also?.({ network, target, voter, ms })
  }
  let second = -1
  let looked = 0
  /** Who does not count mostly comes again: a balancer, a check. */
  let lastUncounted = ''

  const connected = (socket: Socket): void => {
    const now = clock.elapsed()
    const current = Math.floor(now / 1000)
    if (current !== second) {
      second = current
      looked = 0
    }
    if (looked >= MOST_A_SECOND) return
    const found = clientNetwork(socket.remoteAddress ?? '')
    if (found === undefined || found.key === lastUncounted || medians.isFresh(found.key, self, found.voter, now)) return
    if (!counts(found.key)) return void (lastUncounted = found.key)
    looked++
    const ms = roundTrip!(socket)
    if (ms !== undefined && ms <= LONGEST_MS) add(found.key, self, found.voter, ms, now)
  }

  return {
    connected: roundTrip === undefined ? () => undefined : connected,
    script: latency.beacon ? latencyScript(edgeUrls(config, httpPort), latency.share) : undefined,
    report(address, text) {
      const found = clientNetwork(address)
      const now = clock.elapsed()
      if (found === undefined || !mayReport(address, now)) return 'too soon'
      const report = readReport(text, (edge) => edges.includes(edge))
      if (typeof report === 'string') return { wrong: report }
      // The kernel knows the way to this edge better, where it can be asked.
      if (counts(found.key)) for (const [edge, ms] of report) if (edge !== name || roundTrip === undefined) add(found.key, edges.indexOf(edge), found.voter, ms, now)
      return 'taken'
    },
    hear: ({ network, target, voter, ms }) => medians.add(network, target, voter, ms, clock.elapsed()),
    rows(since) {
      const at = Math.floor(clock.elapsed())
      const [from, moment] = (since ?? '').split('.')
      const rows = medians.rows(from === boot ? Number(moment) || 0 : 0, at)
      return { edge: name, boot, at, rows: rows.map(({ network, target, ms, samples, addresses }) => ({ network, edge: edges[target]!, ms, samples, addresses })) }
    }
  }
}
