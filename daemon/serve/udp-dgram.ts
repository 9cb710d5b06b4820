import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { parseAddress } from '../../core/address.ts'
import type { Clock } from '../../core/clock.ts'
import { ANSWER_SIZE, QUERY_SIZE } from './batch.ts'
import { ANSWERED, RECEIVED, UNSENT, type Listener, type Responder, type Source } from './types.ts'

interface Service {
  readonly responder: Responder
  readonly traffic: Float64Array
  readonly clock: Clock
}

/**
 * The same service through node:dgram, for systems without the batched calls. Twice the cost per query, and a wildcard
 * listener answers from the address that the routes prefer.
 * @returns ends it; throws what a bind throws
 */
export async function openDgram(listeners: readonly Listener[], service: Service): Promise<() => void> {
  const sockets: Socket[] = []
  const close = (): void => {
    for (const socket of sockets) socket.close()
  }
  try {
    for (const listener of listeners) sockets.push(await openSocket(listener, service))
  } catch (error) {
    close()
    throw error
  }
  return close
}

async function openSocket({ family, address, port }: Listener, { responder, traffic, clock }: Service): Promise<Socket> {
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
    const length = responder.answer(query, 0, Math.min(query.length, QUERY_SIZE), source, 'udp', out, 0, ANSWER_SIZE)
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
