import { request as requestPlain, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as requestSecure } from 'node:https'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { messageOf } from '../core/trouble.ts'
import { certificateState, tlsOptions, type TlsSpec } from './certificate.ts'
import { Beginning, missingIn, wantsContent, type Content } from './content.ts'
import { askAll, attempt, hostHeader, type Asked, type Attempt, type Probe, type ProbeOptions, type ProbeTarget } from './probe.ts'

/** HTTP, or with `tls` HTTPS. */
export interface HttpSpec extends ProbeTarget {
  readonly kind: 'http'
  readonly port: number
  readonly path: string
  readonly method?: string
  readonly host?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Ranges that pass; absent: 200 to 399. */
  readonly statuses?: readonly (readonly [number, number])[]
  readonly content?: Content
  readonly tls?: TlsSpec
}

/** Longer answers than this are no health page, and are not read. */
const LARGEST_BODY = 64 * 1024
const USUAL: readonly (readonly [number, number])[] = [[200, 399]]

export const probeHttp: Probe<HttpSpec> = (spec, options) => askAll(spec, options, (address) => askHttp(address, spec, options))

async function askHttp(address: string, spec: HttpSpec, options: ProbeOptions): Promise<Asked> {
  const { statuses = USUAL, content = {} } = spec
  return request(address, spec, options, (response, attempt, state) => {
    const status = response.statusCode ?? 0
    const good = [`status ${status}`, ...(state === '' ? [] : [state])].join(', ')
    if (!statuses.some(([from, to]) => status >= from && status <= to)) attempt.fail(`status ${status}`)
    else if (options.kind === 'light') attempt.pass(good)
    else {
      readBody(response, attempt, LARGEST_BODY, (octets) => {
        const missing = wantsContent(content) ? missingIn(octets, content) : undefined
        if (missing === undefined) attempt.pass(good)
        else attempt.fail(missing)
      })
    }
  })
}

/**
 * One request on a connection of its own, so that a pool's leftovers neither hide a dead listener nor fail for a sound one.
 * @param answered is told the head of the answer, and of its certificate
 */
export async function request(address: string, spec: Omit<HttpSpec, 'kind' | 'addresses'>, options: ProbeOptions, answered: (response: IncomingMessage, attempt: Attempt, certificate: string) => void): Promise<Asked> {
  const { port, path, host, method = 'GET', headers = {}, tls } = spec
  const secured = tls === undefined ? {} : await tlsOptions(tls)
  return attempt(options, (attempt) => {
    if (typeof secured === 'string') {
      attempt.fail(secured)
      return () => undefined
    }
    const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
    const own = { host: host ?? hostHeader(address, port, tls === undefined ? 80 : 443), 'user-agent': 'nearcast-healthcheck', connection: 'close' }
    const asked: RequestOptions = { host: address, port, path, method, headers: { ...own, ...lower }, agent: false, signal: options.signal, maxHeaderSize: 16 * 1024, ...secured }
    const query: ClientRequest = tls === undefined ? requestPlain(asked) : requestSecure(asked)
    let certificate = ''
    query.on('error', (error: NodeJS.ErrnoException) => attempt.broke(error))
    query.on('close', () => attempt.fail('connection closed before the answer was complete'))
    query.on('socket', (socket: Socket) => {
      socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
        attempt.connected()
        if (tls === undefined) return
        const { fault, text } = certificateState(socket as TLSSocket, tls, options.clock.now())
        certificate = text
        if (fault !== undefined) attempt.fail(fault)
      })
    })
    query.on('response', (response) => {
      if (!attempt.isOver) answered(response, attempt, certificate)
    })
    try {
      query.end()
    } catch (error) {
      // Headers that do not go with each other.
      attempt.fail(messageOf(error))
    }
    return () => query.destroy()
  })
}

/** The body to its end. */
export function readBody(response: IncomingMessage, attempt: Attempt, largest: number, done: (octets: Uint8Array) => void): void {
  const beginning = new Beginning(largest)
  response.on('data', (chunk: Uint8Array) => {
    beginning.add(chunk)
    if (beginning.size > largest) attempt.fail(`answer longer than ${largest} octets`)
  })
  response.on('end', () => {
    if (!attempt.isOver) done(beginning.octets())
  })
  response.on('error', () => attempt.fail('answer cut short'))
}
