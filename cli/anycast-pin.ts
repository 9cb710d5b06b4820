import { setTimeout as sleep } from 'node:timers/promises'
import { formatDuration } from '../core/quantity.ts'
import { suggestion } from '../core/suggest.ts'
import type { AnycastStatus, Done, PinRequest } from '../daemon/control/api.ts'
import { openAdmin, Refused, refused, type AdminClient } from './admin-client.ts'
import { failed, isSet, mistyped, numberOf, textOf, type Call } from './command.ts'

const STATES = ['announced', 'demoted', 'withdrawn'] as const

export async function pin(call: Call, [prefix, typed]: readonly string[]): Promise<number> {
  const state = STATES.find((known) => known === typed)
  if (state === undefined) return mistyped(call.io, `${typed} is no state to pin (${suggestion(typed!, STATES) ?? STATES.join(', ')})`)
  const done = await hold(call, prefix, state)
  if (typeof done === 'number') return done
  tell(call, done, (names) => `${names} pinned ${state}${forText(call)}; nearcast anycast unpin undoes it\n`)
  return 0
}

/** For how long, where that was said. */
function forText(call: Call): string {
  const forMs = numberOf(call, 'for')
  return forMs === undefined ? '' : ` for ${formatDuration(forMs)}`
}

export async function unpin(call: Call, [prefix]: readonly string[]): Promise<number> {
  const done = await hold(call, prefix, 'none')
  if (typeof done === 'number') return done
  tell(call, done, (names) => `${names} let go\n`)
  return 0
}

/** Demotes, waits, withdraws and waits until it has settled. */
export async function drain(call: Call, [prefix]: readonly string[]): Promise<number> {
  const done = await hold(call, prefix, 'drain')
  if (typeof done === 'number') return done
  const { io } = call
  const isQuiet = isSet(call, 'json')
  let told = ''
  for (;;) {
    const status = await done.admin.get<AnycastStatus>('/v1/anycast')
    if (status instanceof Refused) return refused(call, status)
    const own = status.prefixes.filter(({ name }) => done.names.includes(name))
    const lines = own.map(({ prefix, state, isSettled, reasons, alarms }) => `${prefix} ${isSettled ? 'withdrawn and settled' : state}${alarms.length > 0 ? `: ${alarms.join('; ')}` : isSettled || state === 'withdrawn' ? '' : `: ${reasons.at(-1)?.replace(/ in .*/, ' soon') ?? ''}`}`)
    if (!isQuiet && lines.join('\n') !== told) io.out(`${lines.filter((line) => !told.split('\n').includes(line)).join('\n')}\n`)
    told = lines.join('\n')
    if (own.some(({ pin }) => pin?.state !== 'drain')) return failed(io, 'the drain was undone')
    if (own.some(({ alarms }) => alarms.length > 0)) return failed(io, 'not drained: it stays demoted (nearcast anycast unpin undoes the drain; drain --force does it all the same)')
    if (own.every(({ isSettled }) => isSettled)) {
      io.out(isQuiet ? `${JSON.stringify({ drained: done.names })}\n` : 'drained: this PoP may be stopped; nearcast anycast unpin brings it back\n')
      return 0
    }
    await sleep(LOOK_MS)
  }
}

const LOOK_MS = 200

interface Held {
  readonly admin: AdminClient
  readonly names: readonly string[]
  readonly reply: Done
}

/** Asks the daemon for it; the exit status when it would not, which has been told then. */
async function hold(call: Call, prefix: string | undefined, state: PinRequest['state']): Promise<Held | number> {
  const admin = openAdmin(call)
  if (typeof admin === 'string') return failed(call.io, admin)
  const forMs = numberOf(call, 'for')
  const why = textOf(call, 'why') ?? 'no reason given'
  const body: PinRequest = { ...(prefix !== undefined && prefix !== 'all' && { prefix }), state, why, ...(forMs !== undefined && { forMs }), isForced: isSet(call, 'force') }
  const reply = await admin.post<Done>('/v1/pin', body)
  return reply instanceof Refused ? refused(call, reply) : { admin, names: reply.names ?? [], reply }
}

function tell(call: Call, { names, reply }: Held, text: (names: string) => string): void {
  call.io.out(isSet(call, 'json') ? `${JSON.stringify(reply)}\n` : text(names.join(', ')))
}
