import { contains } from '../../core/special-use.ts'
import { formatAddress, type Prefix } from '../../core/address.ts'
import { networkOfKey } from '../../core/client-network.ts'
import type { KnownCell } from '../latency/index.ts'
import type { LatencyReply, MeasuredNetwork, MeasuredTrip } from './api.ts'
import type { Latencies } from './latencies.ts'

/** Networks that one answer tells of. */
const MOST_NETWORKS = 1000

/** What is known of the networks in a prefix, or of the one that an address is in and of its system and country; without either, of those with the most samples. */
export function tellLatency({ table, edges, wholesOf }: Pick<Latencies, 'table' | 'edges' | 'wholesOf'>, wanted: Prefix | undefined): LatencyReply {
  const found = new Map<string, { readonly prefix: Prefix; readonly trips: MeasuredTrip[] }>()
  const cells = table.cells()
  for (const cell of cells) {
    const entry = found.get(cell.network) ?? { prefix: networkOfKey(cell.network)!, trips: [] }
    if (wanted !== undefined && !isOf(wanted, entry.prefix)) continue
    entry.trips.push(tripOf(cell))
    found.set(cell.network, entry)
  }
  const wholes = wanted === undefined ? undefined : wholesOf(wanted.bytes)
  const samplesOf = ({ trips }: MeasuredNetwork): number => trips.reduce((sum, { samples }) => sum + samples, 0)
  const networks = [...found.values()].map(({ prefix, trips }): MeasuredNetwork => ({ network: `${formatAddress(prefix.bytes)}/${prefix.length}`, trips: trips.sort((a, b) => a.ms - b.ms) }))
  networks.sort((a, b) => samplesOf(b) - samplesOf(a) || (a.network < b.network ? -1 : 1))
  return {
    known: new Set(cells.map((cell) => cell.network)).size,
    networks: networks.slice(0, MOST_NETWORKS),
    wholes: [...table.wholes()].filter(([name]) => wholes === undefined || wholes.includes(name)).map(([name, figures]) => ({ name, trips: figures.flatMap((figure, edge) => (figure === undefined ? [] : [{ edge: edges[edge]!, ms: figure.ms, samples: figure.samples }])).sort((a, b) => a.ms - b.ms) }))
  }
}

/** Whether a network lies in what is wanted, or what is wanted in it. */
function isOf(wanted: Prefix, network: Prefix): boolean {
  return wanted.length >= network.length ? contains(network, wanted.bytes) : contains(wanted, network.bytes)
}

const tripOf = ({ edge, ms, samples, addresses, at, own }: KnownCell): MeasuredTrip => ({ edge, ms, samples, addresses, at, by: own ? 'edge' : 'browsers' })

