import { maskBytes, type Address } from '../../core/address.ts'
import { isExempt, makeExempt, type Exempt } from '../limits/index.ts'
import type { Handover, Reply } from './lane.ts'
import { append, keep, makeClient, serve, takeReply, unblock, type Client, type TcpState } from './tcp-client.ts'
import type { Carrier, Connection, Events } from './tcp-connection.ts'
import { makeTcpTable } from './tcp-table.ts'
import { TCP_ACCEPTED, TCP_CROWDED, TCP_OPEN, TCP_SHED, TCP_SLOW, type Listener, type Responder, type TcpLimits } from './types.ts'

// Who has a connection, and for how long: what asks nothing, sends in drips or takes nothing is closed by time, and where there
// are too many, one gives way to whoever comes (RFC 7766 §6.1, §6.2.3, §10).

/** How often connections are looked over, as a share of the shortest limit of time. */
const SWEEPS = 10
const SHORTEST_SWEEP_MS = 10
/** Octets of what waits for it that a client takes at least within `transferMs`. */
const SLOWEST = 16 << 10

export interface TcpServer {
  /** Sends what the exchange answers. */
  reply(reply: Reply): void
  /** What the exchange had is lost: whoever waits for it is closed. */
  lose(): void
  /** Stops accepting, sends what is under way, and closes every connection. */
  close(withinMs: number): Promise<void>
}

export interface TcpOptions {
  readonly carrier: Carrier
  readonly responder: Responder
  readonly handover: Handover
  readonly limits: TcpLimits
  readonly traffic: Float64Array
  readonly elapsed: () => number
  /** Says what an operator may want to know of. */
  readonly notice: (text: string) => void
}

/** Listens on every address; rejects with the first error of a bind, which then carries `listener`. */
export async function openTcp(listeners: readonly Listener[], options: TcpOptions): Promise<TcpServer> {
  const { limits, carrier } = options
  const state: TcpState = { ...options, table: makeTcpTable(limits), numbers: new Map(), lastNumber: 0, handedOver: 0 }
  const exempt = makeExempt(limits.exempt)
  carrier.expects(() => state.handedOver > 0)
  try {
    for (const listener of listeners) await carrier.listen(listener, (connection, from) => accept(connection, from, state, exempt))
  } catch (error) {
    carrier.close()
    throw error
  }
  const shortest = Math.min(limits.idleMs, limits.transferMs, limits.lifetimeMs)
  const sweep = setInterval(() => lookOver(state), Math.max(SHORTEST_SWEEP_MS, shortest / SWEEPS))
  return {
    reply: (reply) => takeReply(reply, state),
    lose: () => {
      for (const client of state.table.all) if (client.handedOver > 0) client.connection.destroy()
    },
    close: async (withinMs) => {
      clearInterval(sweep)
      carrier.stopListening()
      const { all } = state.table
      for (const { connection } of all) connection.end()
      const end = state.elapsed() + withinMs
      while (all.size > 0 && state.elapsed() < end) await new Promise((resolve) => setTimeout(resolve, 10))
      for (const { connection } of all) connection.destroy()
      carrier.close()
    }
  }
}

function accept(connection: Connection, from: Address, state: TcpState, exempt: Exempt): Events {
  const { table, limits, traffic } = state
  const { family, bytes } = from
  const now = state.elapsed()
  const who = { ...whoHas(from, limits), isExempt: isExempt(exempt, family, bytes, 0) }
  const crowded = table.crowdedBy(who, now)
  if (crowded !== undefined) {
    traffic[TCP_CROWDED]!++
    state.notice(`${table.all.size} TCP connections are open, and one of ${crowded.source.bytes.join('.')} gives way to one of ${bytes.join('.')}`)
    shed(crowded, state)
  }
  const client = makeClient(connection, { family, bytes, at: 0 }, who, ++state.lastNumber, now)
  table.add(client)
  state.numbers.set(client.number, client)
  // Its first query may wait to be read, behind all that a busy thread has to do: that takes a whole turn of the loop.
  state.carrier.later(() => state.carrier.later(() => void (client.isHeard = true)))
  traffic[TCP_ACCEPTED]!++
  traffic[TCP_OPEN] = table.all.size
  return {
    data: (chunk, length, lent) => {
      // What comes after the farewell is not even kept.
      if (client.leavingSince !== 0) return
      append(client, chunk, length)
      serve(client, state)
      if (lent) keep(client, chunk)
    },
    drained: () => unblock(client, state),
    ended: () => {
      client.hasEnded = true
      serve(client, state)
    },
    closed: () => forget(client, state)
  }
}

/** By whom connections are counted: the IPv4 address or the IPv6 /64, which one host has to itself; and the network of it. */
function whoHas({ family, bytes }: Address, { ipv4Prefix, ipv6Prefix }: TcpLimits): { address: string; network: string } {
  const text = (length: number): string => maskBytes(bytes, length).join('.')
  return { address: text(family === 4 ? 32 : 64), network: text(family === 4 ? ipv4Prefix : ipv6Prefix) }
}

/** Closes what has had its time. */
function lookOver(state: TcpState): void {
  const now = state.elapsed()
  for (const client of state.table.all) {
    // What takes nothing of what waits for it is slow, not idle; what another thread never answers has its lifetime.
    const { idleMs, lifetimeMs } = state.limits
    if (client.connection.unsent === 0 && client.lastActive < now - (client.isBusy ? lifetimeMs : idleMs)) shed(client, state)
    else if (isSlow(client, state.limits, now)) {
      state.traffic[TCP_SLOW]!++
      shed(client, state)
    } else if (now - client.acceptedAt > state.limits.lifetimeMs && client.leavingSince === 0 && !client.isBusy) {
      // What it has asked is answered; what it asks from now on it asks on another connection.
      client.leavingSince = now
      client.connection.end()
    }
  }
}

/** Whether a message does not come to an end, answers are not taken, or a farewell is not returned. */
function isSlow(client: Client, { transferMs }: TcpLimits, now: number): boolean {
  const { connection, incompleteSince, leavingSince } = client
  if (incompleteSince !== 0 && now - incompleteSince > transferMs) return true
  if (leavingSince !== 0 && now - leavingSince > transferMs) return true
  const { unsent, taken } = connection
  if (unsent === 0) client.unsentSince = 0
  else if (client.unsentSince === 0 || (now - client.unsentSince > transferMs && taken - client.takenThen >= SLOWEST)) {
    client.unsentSince = now
    client.takenThen = taken
  }
  return client.unsentSince !== 0 && now - client.unsentSince > transferMs
}

function shed(client: Client, state: TcpState): void {
  state.traffic[TCP_SHED]!++
  // Dropped from the table at once: its `close` comes later, and must not make room twice.
  forget(client, state)
  client.connection.destroy()
}

function forget(client: Client, state: TcpState): void {
  const { table, numbers, handover, traffic } = state
  if (!table.remove(client)) return
  numbers.delete(client.number)
  state.handedOver -= client.handedOver
  if (client.handedOver > 0) handover.tell({ kind: 'gone', client: client.number })
  traffic[TCP_OPEN] = table.all.size
}
