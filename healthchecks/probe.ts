import { request, type IncomingMessage } from 'node:http'
import type { After, Clock } from '../core/clock.ts'
import type { ProbeKind } from './verdict.ts'

/** What is asked of a target. Another kind of probe is another member here, and a row of `probes`. */
export interface HttpSpec {
  readonly kind: 'http'
  /** All of them are asked, and all must pass: an answer may name any. */
  readonly addresses: readonly string[]
  readonly port: number
  readonly path: string
}
export type ProbeSpec = HttpSpec

export interface ProbeResult {
  readonly passed: boolean
  /** In a few words: `status 200`, `connection refused`, `no complete answer within 2 s`. */
  readonly why: string
  /** The target refused outright. */
  readonly refused?: boolean
  readonly ms: number
}

export interface ProbeOptions {
  /** `light` is content with the head of the answer. */
  readonly kind: ProbeKind
  /** For everything together, connecting included. */
  readonly timeoutMs: number
  readonly clock: Clock
  readonly after: After
  /** Gives up; the result no longer matters. */
  readonly signal: AbortSignal
}

/** Asks once. Never rejects. */
export type Probe<Spec> = (spec: Spec, options: ProbeOptions) => Promise<ProbeResult>

/** Longer answers than this are no health page, and are not read. */
const LARGEST_BODY = 64 * 1024

export const probeHttp: Probe<HttpSpec> = async (spec, options) => {
  const results = await Promise.all(spec.addresses.map((address) => askHttp(address, spec, options)))
  // That this machine has no way to IPv6 says nothing of the target, as long as another address can be judged.
  const judged = results.some((result) => !result.unroutable) ? results.filter((result) => !result.unroutable) : results
  const worst = judged.find((result) => !result.passed) ?? judged[0]!
  const at = worst.passed || spec.addresses.length === 1 ? '' : ` (${spec.addresses[results.indexOf(worst)]!})`
  return { passed: worst.passed, why: `${worst.why}${at}`, refused: worst.refused === true, ms: Math.max(...judged.map((result) => result.ms)) }
}

/** GET on a connection of its own, so that a pool's leftovers neither hide a dead listener nor fail for a sound one. */
function askHttp(address: string, spec: HttpSpec, { kind, timeoutMs, clock, after, signal }: ProbeOptions): Promise<ProbeResult & { readonly unroutable: boolean }> {
  return new Promise((resolve) => {
    const startedAt = clock.elapsed()
    const cancel = after(timeoutMs, () => finish(false, `no complete answer within ${timeoutMs} ms`))
    const headers = { host: hostHeader(address, spec.port), 'user-agent': 'nearcast-healthcheck', connection: 'close' }
    const query = request({ host: address, port: spec.port, path: spec.path, headers, agent: false, signal, maxHeaderSize: 16 * 1024 })
    let finished = false
    const finish = (passed: boolean, why: string, code = ''): void => {
      if (finished) return
      finished = true
      cancel()
      query.destroy()
      resolve({ passed, why, refused: code === 'ECONNREFUSED', unroutable: UNROUTABLE.has(code), ms: clock.elapsed() - startedAt })
    }
    query.on('error', (error: NodeJS.ErrnoException) => finish(false, describe(error), error.code))
    query.on('close', () => finish(false, 'connection closed before the answer was complete'))
    query.on('response', (response) => {
      const status = response.statusCode ?? 0
      if (status < 200 || status > 399) finish(false, `status ${status}`)
      else if (kind === 'light') finish(true, `status ${status}`)
      else readToEnd(response, (trouble) => finish(trouble === undefined, trouble ?? `status ${status}`))
    })
    query.end()
  })
}

/** What the machine itself says when it has no route, or no address, of the family. */
const UNROUTABLE: ReadonlySet<string> = new Set(['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL'])

function readToEnd(response: IncomingMessage, done: (trouble?: string) => void): void {
  let size = 0
  response.on('data', (chunk: Uint8Array) => {
    size += chunk.length
    if (size > LARGEST_BODY) done(`answer longer than ${LARGEST_BODY} octets`)
  })
  response.on('end', () => done())
  response.on('error', () => done('answer cut short'))
}

function hostHeader(address: string, port: number): string {
  const host = address.includes(':') ? `[${address}]` : address
  return port === 80 ? host : `${host}:${port}`
}

function describe(error: NodeJS.ErrnoException): string {
  const known: Record<string, string> = {
    ECONNREFUSED: 'connection refused',
    ECONNRESET: 'connection reset',
    EHOSTUNREACH: 'host unreachable',
    ENETUNREACH: 'network unreachable',
    EADDRNOTAVAIL: 'no address of this machine reaches it',
    EINVAL: 'no address of this machine reaches it'
  }
  return known[error.code ?? ''] ?? error.message
}

/** Every kind of probe. */
export const probes: { readonly [Kind in ProbeSpec['kind']]: Probe<Extract<ProbeSpec, { kind: Kind }>> } = {
  http: probeHttp
}

/** Asks a target what its kind of probe asks. */
export const probe: Probe<ProbeSpec> = (spec, options) => probes[spec.kind](spec, options)
