import type { ChangeReply, Loader } from '../control/index.ts'
import type { Asked } from './exchange.ts'

/** The loader as the exchange thread has it: every question goes to the main thread, and its answer comes back by its number. */
export function makeLoaderClient(ask: (id: number, asked: Asked, handedOver: readonly ArrayBuffer[]) => void): { readonly loader: Pick<Loader, 'change' | 'replace' | 'expire'>; told(id: number, reply: ChangeReply): void } {
  const waiting = new Map<number, (reply: ChangeReply) => void>()
  let last = 0
  const send = (asked: Asked, handedOver: readonly ArrayBuffer[] = []): Promise<ChangeReply> =>
    new Promise((resolve) => {
      waiting.set(++last, resolve)
      ask(last, asked, handedOver)
    })
  return {
    loader: {
      change: (change, by) => send({ what: 'change', change, by }),
      replace: (origin, records) => send({ what: 'replace', origin, records }, records.pieces.map(({ buffer }) => buffer)),
      expire: (origin) => send({ what: 'expire', origin })
    },
    told: (id, reply) => {
      waiting.get(id)?.(reply)
      waiting.delete(id)
    }
  }
}
