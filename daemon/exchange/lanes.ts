import type { MessagePort } from 'node:worker_threads'
import type { Handed, Reply, Return, Send, ToExchange } from '../serve/index.ts'

/** Messages of one answer that are on their way to the client: the next is made when one of them has left. */
const MOST_UNSENT = 2

/** Thrown by an answer that is broken off because its client takes it too slowly. */
export const SHED = new Error('the client is too slow')

/** A client of a serving thread with answers under way. */
interface Client {
  /** Answers under way. */
  open: number
  unsent: number
  isGone: boolean
  wake: (() => void)[]
}

/** The exchange's end of one lane: takes messages, and brings each of their replies to where it belongs. */
export function attachLane(port: MessagePort, waiting: Int32Array, serve: (handed: Handed) => AsyncGenerator<Uint8Array, void, undefined>, send: Send | undefined, trouble: (error: unknown) => void): void {
  const clients = new Map<number, Client>()
  port.on('message', (message: ToExchange) => {
    if (message.kind === 'handed') {
      Atomics.sub(waiting, 0, 1)
      void answer(message).catch((error: unknown) => error === SHED || trouble(error))
      return
    }
    const client = clients.get(message.client)
    if (client === undefined) return
    if (message.kind === 'sent') client.unsent--
    else {
      client.isGone = true
      clients.delete(message.client)
    }
    for (const wake of client.wake.splice(0)) wake()
  })

  async function answer(handed: Handed): Promise<void> {
    const { to, transport } = handed
    if (to.kind === 'socket' || transport === 'udp') {
      const { value } = await serve(handed).next()
      if (value instanceof Uint8Array) sendOne(to, value)
      return
    }
    await stream(to.client, serve(handed))
  }

  function sendOne(to: Return, message: Uint8Array): void {
    if (to.kind === 'socket') send?.(to.fd, to.name, to.control, message)
    else port.postMessage({ kind: 'last', client: to.client, message } satisfies Reply)
  }

  async function stream(number: number, replies: AsyncGenerator<Uint8Array, void, undefined>): Promise<void> {
    const client: Client = clients.get(number) ?? { open: 0, unsent: 0, isGone: false, wake: [] }
    clients.set(number, client)
    client.open++
    let isWhole = false
    try {
      let next = await replies.next()
      isWhole = next.done === true
      if (isWhole) port.postMessage({ kind: 'last', client: number } satisfies Reply)
      while (next.done !== true && !client.isGone) {
        const message = next.value
        next = await replies.next()
        isWhole = next.done === true
        client.unsent++
        port.postMessage({ kind: isWhole ? 'last' : 'more', client: number, message } satisfies Reply)
        if (!isWhole) await hasRoom(client)
      }
    } finally {
      if (!isWhole) port.postMessage({ kind: 'broken', client: number } satisfies Reply)
      if (--client.open === 0) clients.delete(number)
      await replies.return()
    }
  }
}

async function hasRoom(client: Client): Promise<void> {
  while (client.unsent >= MOST_UNSENT && !client.isGone) await new Promise<void>((resolve) => client.wake.push(resolve))
}
