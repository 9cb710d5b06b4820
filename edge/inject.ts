import type { Injection } from '../core/channel.ts'
import type { Connection, Handler } from './http/index.ts'
import { say } from './say.ts'
import type { Worker } from './worker.ts'

/** Requests on their way to be served, made to fare badly while a rehearsal says so. */
export interface Injector {
  readonly handle: Handler
  /** Absent: well again. Clients that were told nothing are cut off. */
  use(injection: Injection | undefined): void
}

/** @param serve what is done with a request when all is well, and once a delay is over */
export function makeInjector(worker: Worker, serve: Handler): Injector {
  let injected: Injection | undefined
  /** Connections that are being told nothing, and what their delay waits for. */
  const held = new Map<Connection, NodeJS.Timeout | undefined>()

  const hold = (reply: Connection, timer?: NodeJS.Timeout): void => {
    held.set(reply, timer)
    reply.watch({
      drained: () => undefined,
      gone: () => {
        clearTimeout(timer)
        held.delete(reply)
      }
    })
  }
  const later = (ms: number, request: Parameters<Handler>[0], reply: Connection): void => {
    const timer = setTimeout(() => {
      held.delete(reply)
      reply.watch({ drained: () => undefined, gone: () => undefined })
      serve(request, reply)
    }, ms)
    hold(reply, timer)
  }

  return {
    handle: (request, reply) => {
      if (injected === undefined) return serve(request, reply)
      if (injected.kind === 'silence') hold(reply)
      else if (injected.kind === 'delay') later(injected.ms, request, reply)
      else say(worker, request, reply, { status: injected.status, text: 'a rehearsal has it so' })
    },
    use: (injection) => {
      injected = injection
      for (const [reply, timer] of held) if (timer === undefined) reply.abort()
    }
  }
}
