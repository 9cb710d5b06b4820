import { createSocket, type Socket } from 'node:dgram'
import { decode, encode, type Answer, type DecodedPacket } from 'dns-packet'
import { parseAddress } from '../../core/address.ts'
import type { Clock } from '../../core/clock.ts'

/** One question as a resolver sends it for a client of its: name, type, and the client's network (RFC 7871). */
export interface Question {
  readonly name: string
  readonly type: 'A' | 'AAAA'
  /** Such as 168.126.63.0/24. */
  readonly subnet: string
}

export interface Reply {
  /** `NOERROR`, `SERVFAIL`, …; `LOST` when nothing came in time. */
  readonly rcode: string
  /** Addresses of the answer, aliases followed. */
  readonly addresses: readonly string[]
  /** The least TTL on the way to them, seconds. */
  readonly ttl: number
  readonly sentAt: number
  readonly at: number
}

/** Asks one server over UDP. It owns a socket. */
export interface Asker {
  ask(question: Question): Promise<Reply>
  close(): void
}

interface Waiting {
  readonly question: Question
  readonly sentAt: number
  readonly timer: NodeJS.Timeout
  readonly settle: (reply: Reply) => void
}

/**
 * @param server where DNS is asked
 * @param timeoutMs a query without a reply for this long is lost
 */
export function makeAsker(server: { address: string; port: number }, timeoutMs: number, clock: Clock): Asker {
  const waiting = new Map<number, Waiting>()
  const wires = new Map<string, Buffer>()
  const socket: Socket = createSocket(server.address.includes(':') ? 'udp6' : 'udp4')
  let nextId = Math.floor(Math.random() * 65536)

  const settle = (id: number, found: { rcode: string; addresses: string[]; ttl: number }): void => {
    const query = waiting.get(id)
    if (query === undefined) return
    waiting.delete(id)
    clearTimeout(query.timer)
    query.settle({ ...found, sentAt: query.sentAt, at: clock.elapsed() })
  }
  socket.on('message', (message) => {
    const packet = decodeReply(message)
    const query = packet?.id === undefined ? undefined : waiting.get(packet.id)
    if (packet === undefined || query === undefined || packet.questions?.[0]?.name !== query.question.name) return
    settle(packet.id!, readAddresses(packet, query.question))
  })
  // A port where nobody listens is a lost query, like any other that nobody answers.
  socket.on('error', () => undefined)
  socket.bind()

  return {
    ask: (question) =>
      new Promise((resolve) => {
        do nextId = (nextId + 1) & 0xffff
        while (waiting.has(nextId))
        const id = nextId
        const key = `${question.name} ${question.type} ${question.subnet}`
        const wire = Buffer.from(wires.get(key) ?? encodeQuery(question))
        if (!wires.has(key)) wires.set(key, wire)
        wire.writeUInt16BE(id, 0)
        const timer = setTimeout(() => settle(id, { rcode: 'LOST', addresses: [], ttl: 0 }), timeoutMs)
        waiting.set(id, { question, sentAt: clock.elapsed(), timer, settle: resolve })
        socket.send(wire, server.port, server.address, () => undefined)
      }),
    close() {
      for (const id of waiting.keys()) settle(id, { rcode: 'LOST', addresses: [], ttl: 0 })
      socket.close()
    }
  }
}

/** The packet of a question, with EDNS and the client's subnet; its id is 0. */
export function encodeQuery({ name, type, subnet }: Question): Buffer {
  const [ip, length] = subnet.split('/')
  const option = { code: 'CLIENT_SUBNET', family: ip!.includes(':') ? 2 : 1, sourcePrefixLength: Number(length), scopePrefixLength: 0, ip }
  const opt = { type: 'OPT', name: '.', udpPayloadSize: 1232, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [option] }
  return encode({ type: 'query', id: 0, questions: [{ name, type }], additionals: [opt as unknown as Answer] })
}

function decodeReply(message: Buffer): (DecodedPacket & { rcode?: string }) | undefined {
  try {
    const packet = decode(message)
    return packet.type === 'response' ? packet : undefined
  } catch {
    return undefined
  }
}

/** The addresses that a reply leads to from the name asked for, and the least TTL on the way. */
export function readAddresses(packet: DecodedPacket & { rcode?: string }, { name, type }: Question): { rcode: string; addresses: string[]; ttl: number } {
  const addresses: string[] = []
  let owner = name.toLowerCase()
  let ttl = Infinity
  for (const record of packet.answers ?? []) {
    if (record.name.toLowerCase() !== owner || !('ttl' in record)) continue
    if (record.type === 'CNAME') owner = record.data.toLowerCase()
    else if (record.type === type && parseAddress(record.data as string) !== undefined) addresses.push(record.data as string)
    else continue
    ttl = Math.min(ttl, record.ttl ?? 0)
  }
  return { rcode: packet.rcode ?? 'NOERROR', addresses, ttl: addresses.length > 0 ? ttl : 0 }
}
