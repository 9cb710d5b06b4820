import { parsePrefix } from '../core/address.ts'
import { systemClock } from '../core/clock.ts'
import { formatDuration } from '../core/quantity.ts'
import type { LatencyReply, MeasuredNetwork } from '../daemon/control/api.ts'
import { openAdmin, Refused, refused } from './admin-client.ts'
import { failed, isSet, mistyped, type Command } from './command.ts'
import { STATE } from './folders.ts'
import { tableOf } from './table.ts'

export const latency: Command = {
  name: 'latency',
  summary: 'show the round trips that were measured between networks and edges',
  details: ['Without a network: the fifty of which most is known, then whole autonomous systems and countries. What a', 'network does not know itself it has of its autonomous system, then of its country, then by distance.'],
  arguments: [{ name: 'PREFIX|IP', optional: true }],
  options: { json: { kind: 'flag', summary: 'print all of it as JSON' }, state: STATE },
  examples: ['nearcast latency', 'nearcast latency 168.126.63.1', 'nearcast latency 168.126.0.0/16 --json'],
  run: async (call) => {
    const [network] = call.positionals
    if (network !== undefined && parsePrefix(network) === undefined) return mistyped(call.io, `${network}: expected an address or a prefix without host bits, such as 192.0.2.0/24`)
    const admin = openAdmin(call)
    if (typeof admin === 'string') return failed(call.io, admin)
    const reply = await admin.get<LatencyReply>(`/v1/latency${network === undefined ? '' : `?${new URLSearchParams({ network })}`}`)
    if (reply instanceof Refused) return refused(call, reply)
    call.io.out(isSet(call, 'json') ? `${JSON.stringify(reply, undefined, 2)}\n` : `${latencyLines(reply, network, systemClock.now()).join('\n')}\n`)
    return 0
  }
}

/** Networks that are shown to people when they ask for none. */
const SHOWN = 50

/** What was measured, for people. @param now wall milliseconds */
export function latencyLines({ known, networks, wholes }: LatencyReply, network: string | undefined, now: number): string[] {
  if (networks.length + wholes.length === 0) return [network === undefined ? 'nothing has been measured yet: five addresses of a network with twenty connections make a figure' : `nothing has been measured of ${network}`]
  const shown = network === undefined ? networks.slice(0, SHOWN) : networks
  const rows = [
    ...shown.flatMap((each) => rowsOf(each, now)),
    ...wholes.flatMap(({ name, trips }) => trips.map(({ edge, ms, samples }, at) => [at === 0 ? name : '', edge, millisecondsOf(ms), String(samples), '', '', 'its networks']))
  ]
  const more = known > shown.length && network === undefined ? ['', `${known - shown.length} more networks: ask for a prefix, or --json`] : []
  return [...tableOf(['NETWORK', 'EDGE', 'ROUND TRIP', 'SAMPLES', 'ADDRESSES', 'HEARD', 'MEASURED BY'], rows, { right: [2, 3, 4] }), ...more]
}

function rowsOf({ network, trips }: MeasuredNetwork, now: number): string[][] {
  return trips.map(({ edge, ms, samples, addresses, at, by }, index) => [index === 0 ? network : '', edge, millisecondsOf(ms), String(samples), String(addresses), `${formatDuration(Math.max(0, now - at))} ago`, by === 'edge' ? 'the edge' : 'browsers'])
}

const millisecondsOf = (ms: number): string => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`
