import { Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { After, Clock } from '../core/clock.ts'
import { messageOf } from '../core/trouble.ts'
import type { ProbeKind } from './verdict.ts'
import { wordsOf } from './words.ts'

// What probes of all kinds share: what they are told, what they say, and one attempt at one address within its time.

/** What every kind of probe is told of its target. */
export interface ProbeTarget {
  /** All of them are asked, and all must pass: an answer may name any. A host name stands for what it resolves to. */
  readonly addresses: readonly string[]
}

export interface ProbeResult {
  readonly passed: boolean
  /** In a few words: `status 200`, `connection refused`, `no complete answer within 2 s`. */
  readonly why: string
  /** The target refused outright. */
  readonly refused?: boolean
  readonly ms: number
  /** What it said of its own load and capacity, in a unit of its own. */
  readonly load?: number
  readonly capacity?: number
}

export interface ProbeOptions {
  /** `light` is content with the head of an answer. */
  readonly kind: ProbeKind
  /** For everything together, connecting included. */
  readonly timeoutMs: number
  /** For the connection alone, TLS included; absent: as long as for everything. */
  readonly connectMs?: number
  readonly clock: Clock
  readonly after: After
  /** Gives up; the result no longer matters. */
  readonly signal: AbortSignal
}

/** Asks once. Never rejects. */
export type Probe<Spec> = (spec: Spec, options: ProbeOptions) => Promise<ProbeResult>

/** What one address said. */
export interface Asked extends ProbeResult {
  /** This machine has no way there, which says nothing of the target. */
  readonly unroutable: boolean
}

/** An attempt under way: it ends once, by what comes first. */
export interface Attempt {
  readonly isOver: boolean
  /** There is a connection: its own time limit holds no longer. */
  connected(): void
  pass(why: string, told?: { readonly load?: number; readonly capacity?: number }): void
  fail(why: string): void
  /** Fails for a reason of the system's or of a library's. */
  broke(error: NodeJS.ErrnoException): void
}

/** Octets of an answer in which a text or a pattern is looked for. */
export const LOOKED_AT = 5120
const NO_FAMILY: ReadonlySet<string> = new Set(['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL'])

/** @param begin starts the attempt, and returns what ends it */
export function attempt({ timeoutMs, connectMs = timeoutMs, clock, after, signal }: ProbeOptions, begin: (attempt: Attempt) => () => void): Promise<Asked> {
  return new Promise((resolve) => {
    const startedAt = clock.elapsed()
    let isOver = false
    let end = (): void => undefined
    const finish = (passed: boolean, why: string, code = '', told = {}): void => {
      if (isOver) return
      isOver = true
      cancel()
      cancelConnect()
      signal.removeEventListener('abort', giveUp)
      end()
      resolve({ passed, why, refused: code === 'ECONNREFUSED', unroutable: NO_FAMILY.has(code), ms: clock.elapsed() - startedAt, ...told })
    }
    const giveUp = (): void => finish(false, 'given up')
    const cancel = after(timeoutMs, () => finish(false, `no complete answer within ${timeoutMs} ms`))
    const cancelConnect = connectMs < timeoutMs ? after(connectMs, () => finish(false, `no connection within ${connectMs} ms`)) : () => undefined
    signal.addEventListener('abort', giveUp)
    const broke = (error: NodeJS.ErrnoException): void => finish(false, wordsOf(error), error.code)
    const attempt: Attempt = {
      get isOver() {
        return isOver
      },
      connected: cancelConnect,
      pass: (why, told) => finish(true, why, '', told),
      fail: (why) => finish(false, why),
      broke
    }
    try {
      end = begin(attempt)
    } catch (error) {
      // What a library refuses to send at all, such as a header that cannot be, fails like any other check.
      broke(error instanceof Error ? error : new Error(messageOf(error)))
    }
    if (isOver) end()
    else if (signal.aborted) giveUp()
  })
}

/** Asks every address; the worst of them is what counts. */
export async function askAll({ addresses }: ProbeTarget, options: ProbeOptions, ask: (address: string) => Promise<Asked>): Promise<ProbeResult> {
  const found = await resolveAll(addresses, options)
  if (typeof found === 'string') return { passed: false, why: found, ms: 0 }
  const results = await Promise.all(found.map(ask))
  // That this machine has no way to IPv6 says nothing of the target, as long as another address can be judged.
  const judged = results.some((result) => !result.unroutable) ? results.filter((result) => !result.unroutable) : results
  const { unroutable: _, ...worst } = judged.find((result) => !result.passed) ?? judged[0]!
  const at = worst.passed || found.length === 1 ? '' : ` (${found[results.findIndex((result) => result.why === worst.why)]!})`
  return { ...worst, why: `${worst.why}${at}`, ms: Math.max(...judged.map((result) => result.ms)) }
}

/** Addresses as they are, names as they resolve; a text says why there are none. */
async function resolveAll(names: readonly string[], { timeoutMs, after, signal }: ProbeOptions): Promise<readonly string[] | string> {
  if (names.every((name) => isIP(name) !== 0)) return names
  const resolver = new Resolver()
  const cancel = after(timeoutMs, () => resolver.cancel())
  const giveUp = (): void => resolver.cancel()
  signal.addEventListener('abort', giveUp)
  const found = await Promise.all(names.map((name) => (isIP(name) === 0 ? addressesOf(resolver, name) : [name])))
  cancel()
  signal.removeEventListener('abort', giveUp)
  const none = names.findIndex((_, index) => found[index]!.length === 0)
  return none < 0 ? found.flat() : `${names[none]!} does not resolve`
}

async function addressesOf(resolver: Resolver, name: string): Promise<string[]> {
  const found = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)])
  return found.flatMap((each) => (each.status === 'fulfilled' ? each.value : []))
}

/** `[2001:db8::1]:8080`; the port stays out where it is the usual one. */
export function hostHeader(address: string, port: number, usual: number): string {
  const host = address.includes(':') ? `[${address}]` : address
  return port === usual ? host : `${host}:${port}`
}
