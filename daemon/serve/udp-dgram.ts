import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { parseAddress } from '../../core/address.ts'
import type { Clock } from '../../core/clock.ts'
import { ANSWER_SIZE, QUERY_SIZE } from './batch.ts'
import type { Handover, Reply } from './lane.ts'
import { ANSWERED, DECLINED, HAND_OVER, HANDED_OVER, RECEIVED, UNSENT, type Listener, type Responder, type Source } from './types.ts'

/** Who waits for what the exchange says, by number; the oldest are forgotten. */
interface Waiting {
  last: number
  readonly senders: Map<number, { readonly socket: Socket; readonly address: string; readonly port: number }>
}

/** More than wait in a lane at once. */
const MOST_WAITING = 256

interface Service {
  readonly responder: Responder
  readonly handover: Handover
  readonly traffic: Float64Array
  readonly clock: Clock
}

/**
 * The same service through node:dgram, for systems without the batched calls. Twice the cost per query, and a wildcard
 * listener answers from the address that the routes prefer. Throws what a bind throws.
 */
export async function openDgram(listeners: readonly Listener[], service: Service): Promise<{ close(): void; reply(reply: Reply): void }> {
  const sockets: Socket[] = []
  const waiting: Waiting = { last: 0, senders: new Map() }
  const close = (): void => {
    for (const socket of sockets) socket.close()
  }
  try {
    for (const listener of listeners) sockets.push(await openSocket(listener, service, waiting))
  } catch (error) {
    close()
    throw error
  }
  const reply = ({ client, message }: Reply): void => {
    const to = waiting.senders.get(client)
    waiting.senders.delete(client)
    if (to !== undefined && message !== undefined) to.socket.send(message, to.port, to.address, () => undefined)
  }
  return { close, reply }
}

function wait({ senders }: Waiting, number: number, sender: { socket: Socket; address: string; port: number }): void {
  senders.set(number, sender)
  if (senders.size <= MOST_WAITING) return
  for (const oldest of senders.keys()) return void senders.delete(oldest)
}

async function openSocket({ family, address, port }: Listener, { responder, handover, traffic, clock }: Service, waiting: Waiting): Promise<Socket> {
  const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', ipv6Only: family === 6, recvBufferSize: 1 << 20 })
  const out = new Uint8Array(ANSWER_SIZE)
  const source: Source = { family, bytes: new Uint8Array(16), at: 0 }
  socket.on('message', (query: Buffer, from: RemoteInfo) => {
    traffic[RECEIVED]!++
    if (from.port === 0) return
    const parsed = parseAddress(from.address.replace(/%.*$/, ''))
    if (parsed === undefined) return
    source.bytes.set(parsed.bytes)
    responder.tick?.(clock.now())
    let length = responder.answer(query, 0, Math.min(query.length, QUERY_SIZE), source, 'udp', out, 0, ANSWER_SIZE)
    if (length === HAND_OVER) {
      const client = ++waiting.last
      if (handover.offer(Uint8Array.from(query.subarray(0, QUERY_SIZE)), source, 'udp', { kind: 'lane', client })) {
        traffic[HANDED_OVER]!++
        wait(waiting, client, { socket, address: from.address, port: from.port })
        return
      }
      traffic[DECLINED]!++
      length = responder.decline()
    }
    if (length === 0) return
    traffic[ANSWERED]!++
    // The send ends after this call does: it needs octets of its own.
    socket.send(out.slice(0, length), from.port, from.address, (error) => {
      if (error !== null) traffic[UNSENT]!++
    })
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', reject)
      socket.on('error', () => undefined)
      resolve()
    })
  })
  return socket
}
