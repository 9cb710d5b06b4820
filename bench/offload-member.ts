import { makeLogger } from '../core/log.ts'
import { systemClock } from '../core/clock.ts'
import type { Counters, Setup } from '../core/channel.ts'
import { startWorker, type RunningWorker } from '../edge/index.ts'

// An edge, a regional or a shield as a process of its own, whose time of day is the one it is told; what is measured in milliseconds
// (time-outs, hedges, idle connections) goes by real time.

/** From the bench. */
export type ToMember = { readonly kind: 'start'; readonly setup: Setup; readonly now: number } | { readonly kind: 'time'; readonly now: number } | { readonly kind: 'tell' }
/** To the bench: each is answered. */
export type FromMember = { readonly kind: 'done' } | { readonly kind: 'told'; readonly counters: Counters } | { readonly kind: 'failed'; readonly reason: string }

let now = 0
let worker: RunningWorker | undefined
const say = (message: FromMember): void => void process.send!(message)

async function take(message: ToMember): Promise<void> {
  if (message.kind === 'tell') return say({ kind: 'told', counters: worker!.counters() })
  now = message.now
  if (message.kind === 'start') worker = await startWorker({ setup: message.setup, clock: { now: () => now, elapsed: systemClock.elapsed }, log: makeLogger(message.setup.name, { readable: true, level: message.setup.config.log }) })
  say({ kind: 'done' })
}

process.on('message', (message: ToMember) => void take(message).catch((error: unknown) => say({ kind: 'failed', reason: String(error) })))
process.on('disconnect', () => process.exit(0))
