import type { After } from '../../core/clock.ts'
import type { PurgeOrder, PurgeTold } from '../../core/purge.ts'
import type { Channel, FromProcess, FleetVerb, Injection, ToProcess } from '../../core/channel.ts'

/** What the daemon asks of its supervisor. */
export interface FleetRequests {
  /** Resolves when the supervisor has done it: with undefined, or with the reason why not. Never rejects. */
  ask(verb: FleetVerb, name: string, forMs?: number, injection?: Injection): Promise<string | undefined>
  /** Resolves with who has it, or with the reason why it was not done. */
  purge(order: PurgeOrder): Promise<PurgeTold | string>
  /** Hand every `reply` from the supervisor here. */
  reply(message: Extract<ToProcess, { kind: 'reply' }>): void
}

/** A supervisor that has not answered for this long is not going to. */
const REPLY_WITHIN_MS = 10_000
const MOST_WAITING = 64

export function makeFleetRequests(channel: Channel, after: After): FleetRequests {
  const waiting = new Map<number, (message: Reply) => void>()
  let last = 0
  const send = (make: (id: number) => FromProcess): Promise<Reply> =>
    new Promise((resolve) => {
      if (waiting.size >= MOST_WAITING) return resolve({ error: 'too many requests wait for the supervisor' })
      const id = ++last
      const cancel = after(REPLY_WITHIN_MS, () => finish({ error: 'the supervisor does not answer' }))
      const finish = (message: Reply): void => {
        cancel()
        waiting.delete(id)
        resolve(message)
      }
      waiting.set(id, finish)
      channel.send(make(id))
    })
  return {
    ask: async (verb, name, forMs, injection) =>
      (await send((id) => ({ kind: 'request', id, verb, name, ...(forMs !== undefined && { forMs }), ...(injection !== undefined && { injection }) }))).error,
    purge: async (order) => {
      const { error, purged } = await send((id) => ({ kind: 'purge', id, order }))
      return purged ?? error ?? 'the supervisor does not say who was told'
    },
    reply: (message) => waiting.get(message.id)?.(message)
  }
}

type Reply = Pick<Extract<ToProcess, { kind: 'reply' }>, 'error' | 'purged'>
