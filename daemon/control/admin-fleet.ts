import type { After } from '../../core/clock.ts'
import type { Channel, FleetVerb, Injection, ToProcess } from '../../core/channel.ts'

/** What the daemon asks of its supervisor. */
export interface FleetRequests {
  /** Resolves when the supervisor has done it: with undefined, or with the reason why not. Never rejects. */
  ask(verb: FleetVerb, name: string, forMs?: number, injection?: Injection): Promise<string | undefined>
  /** Hand every `reply` from the supervisor here. */
  reply(message: Extract<ToProcess, { kind: 'reply' }>): void
}

/** A supervisor that has not answered for this long is not going to. */
const REPLY_WITHIN_MS = 10_000
const MOST_WAITING = 64

export function makeFleetRequests(channel: Channel, after: After): FleetRequests {
  const waiting = new Map<number, (error?: string) => void>()
  let last = 0
  return {
    ask: (verb, name, forMs, injection) =>
      new Promise((resolve) => {
        if (waiting.size >= MOST_WAITING) {
          resolve('too many requests wait for the supervisor')
          return
        }
        const id = ++last
        const cancel = after(REPLY_WITHIN_MS, () => finish('the supervisor does not answer'))
        const finish = (error?: string): void => {
          cancel()
          waiting.delete(id)
          resolve(error)
        }
        waiting.set(id, finish)
        channel.send({ kind: 'request', id, verb, name, ...(forMs !== undefined && { forMs }), ...(injection !== undefined && { injection }) })
      }),
    reply: (message) => waiting.get(message.id)?.(message.error)
  }
}
