import { KINDS, type Kind } from '../../daemon/pops/channel.ts'
import { parsePopKeys, type PopKey } from '../../daemon/pops/keys.ts'
import { PopLink, type Refusal } from '../../daemon/pops/link.ts'
import { OwnState } from '../../daemon/pops/states.ts'
import { makeManualClock, type ManualClock } from '../helpers/manual-clock.ts'

// A network of links without sockets: each datagram is in the hands of the test, which may lose, double, hold up and forge it.

export const keyOf = (octet: string, more = ''): readonly PopKey[] => parsePopKeys('pops.keys', `${octet.repeat(31)}01\n${more}`).keys

export interface End {
  readonly name: string
  readonly link: PopLink
  readonly state: OwnState
  keys: readonly PopKey[]
  /** Datagrams that it sent and that have not arrived. */
  readonly sent: { readonly to: string; readonly octets: Uint8Array }[]
  readonly lines: string[]
  changes: number
}

export interface EndOptions {
  readonly session?: string
  readonly keys?: readonly PopKey[]
  readonly leaseMs?: number
  /** How far its wall clock is from the right time. */
  readonly offMs?: number
}

let lives = 0

export function makeEnd(name: string, other: string, time: ManualClock, { session = (++lives).toString(16).padStart(16, 'a'), keys = keyOf('a7'), leaseMs = 5000, offMs = 0 }: EndOptions = {}): End {
  const state = new OwnState()
  const end: { -readonly [Key in keyof End]: End[Key] } = { name, state, keys, sent: [], lines: [], changes: 0, link: undefined as never }
  end.link = new PopLink({
    own: name, name: other, session, keys: () => end.keys, states: new Map([[KINDS.verdicts, { state, leaseMs }]]),
    clock: { now: () => time.clock.now() + offMs, elapsed: () => time.clock.elapsed() }, skewMs: 30_000,
    send: (octets) => void end.sent.push({ to: other, octets: Uint8Array.from(octets) }),
    changed: () => void end.changes++,
    refused: (_: Refusal, line) => void end.lines.push(line)
  })
  return end
}

/** Hands over all that is under way, and what is said because of it, until nothing is. */
export function deliver(a: End, b: End): void {
  while (a.sent.length + b.sent.length > 0) {
    for (const { octets } of a.sent.splice(0)) b.link.receive(octets)
    for (const { octets } of b.sent.splice(0)) a.link.receive(octets)
  }
}

export const heardBy = (end: End, kind: Kind = 'verdicts'): Record<string, string> | undefined => {
  const heard = end.link.heard(KINDS[kind])
  return heard && Object.fromEntries([...heard].map(([key, value]) => [key, Buffer.from(value).toString('latin1')]))
}

export const value = (text: string): Uint8Array => Buffer.from(text, 'latin1')

/** Two ends that know each other. */
export async function meet(options: { readonly a?: EndOptions; readonly b?: EndOptions } = {}): Promise<{ readonly time: ManualClock; readonly a: End; readonly b: End }> {
  const time = makeManualClock()
  const a = makeEnd('a', 'b', time, options.a)
  const b = makeEnd('b', 'a', time, options.b)
  await time.turn(10)
  a.link.tick()
  deliver(a, b)
  return { time, a, b }
}

export { makeManualClock }
