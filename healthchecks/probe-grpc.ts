import { connect, type ClientHttp2Session } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { messageOf } from '../core/trouble.ts'
import { certificateState, tlsOptions, type TlsSpec } from './certificate.ts'
import { Beginning } from './content.ts'
import { askAll, attempt, hostHeader, type Asked, type Probe, type ProbeOptions, type ProbeTarget } from './probe.ts'

/** The health service of gRPC: `grpc.health.v1.Health/Check` over HTTP/2. */
export interface GrpcSpec extends ProbeTarget {
  readonly kind: 'grpc'
  readonly port: number
  /** Empty: the whole server. */
  readonly service: string
  readonly host?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly tls?: TlsSpec
}

const SERVING = 1
const STATES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']
const CODES = ['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED']
const LARGEST_REPLY = 4096

export const probeGrpc: Probe<GrpcSpec> = (spec, options) => askAll(spec, options, (address) => askGrpc(address, spec, options))

async function askGrpc(address: string, spec: GrpcSpec, options: ProbeOptions): Promise<Asked> {
  const { port, host, tls } = spec
  const secured = tls === undefined ? {} : await tlsOptions(tls)
  return attempt(options, (attempt) => {
    if (typeof secured === 'string') {
      attempt.fail(secured)
      return () => undefined
    }
    const scheme = tls === undefined ? 'http' : 'https'
    const session = connect(`${scheme}://${hostHeader(address, port, 0)}`, { ...secured, maxSessionMemory: 1 })
    let certificate = ''
    session.on('error', (error: NodeJS.ErrnoException) => attempt.broke(error))
    session.on('close', () => attempt.fail('connection closed before the answer was complete'))
    session.on('goaway', () => attempt.fail('the server is going away'))
    session.on('connect', (_, socket) => {
      attempt.connected()
      if (tls === undefined) return
      const { fault, text } = certificateState(socket as TLSSocket, tls, options.clock.now())
      certificate = text
      if (fault !== undefined) attempt.fail(fault)
    })
    try {
      check(session, spec, { scheme, authority: host ?? hostHeader(address, port, tls === undefined ? 80 : 443), timeoutMs: options.timeoutMs }, (fault) => {
        if (fault === undefined) attempt.pass(['SERVING', ...(certificate === '' ? [] : [certificate])].join(', '))
        else attempt.fail(fault)
      })
    } catch (error) {
      // Headers that HTTP/2 does not have.
      attempt.fail(messageOf(error))
    }
    return () => session.destroy()
  })
}

function check(session: ClientHttp2Session, { service, headers = {} }: GrpcSpec, { scheme, authority, timeoutMs }: { scheme: string; authority: string; timeoutMs: number }, done: (fault?: string) => void): void {
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  const stream = session.request({
    ...lower,
    ':method': 'POST',
    ':scheme': scheme,
    ':authority': authority,
    ':path': '/grpc.health.v1.Health/Check',
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': 'nearcast-healthcheck',
    'grpc-timeout': `${Math.ceil(timeoutMs)}m`
  })
  const beginning = new Beginning(LARGEST_REPLY)
  let code: string | undefined
  let text = ''
  const heed = (fields: Readonly<Record<string, unknown>>): void => {
    if (typeof fields['grpc-status'] === 'string') code = fields['grpc-status']
    if (typeof fields['grpc-message'] === 'string') text = fields['grpc-message']
  }
  // That of a session that has ended comes before the reason why, which the session itself tells.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_HTTP2_STREAM_CANCEL') done(error.message)
  })
  stream.on('response', (fields) => {
    if (fields[':status'] !== 200) done(`status ${fields[':status']}`)
    heed(fields)
  })
  stream.on('trailers', heed)
  stream.on('data', (chunk: Uint8Array) => {
    beginning.add(chunk)
    if (beginning.size > LARGEST_REPLY) done(`answer longer than ${LARGEST_REPLY} octets`)
  })
  stream.on('end', () => {
    if (code === undefined) done('no gRPC status in its answer')
    else if (code !== '0') done(`gRPC ${CODES[Number(code)] ?? code}${text === '' ? '' : `: ${text.slice(0, 100)}`}`)
    else {
      const state = servingStatus(beginning.octets())
      if (state === undefined) done('its answer is no HealthCheckResponse')
      else done(state === SERVING ? undefined : (STATES[state] ?? `state ${state}`))
    }
  })
  stream.end(frame(service))
}

/** A HealthCheckRequest, `string service = 1`, behind the five octets of a gRPC message. */
function frame(service: string): Buffer {
  const name = Buffer.from(service)
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name])
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)]
}

/** `ServingStatus status = 1` of a HealthCheckResponse, 0 where it says nothing; undefined when it is none. Other fields are passed over. */
function servingStatus(octets: Uint8Array): number | undefined {
  if (octets.length < 5 || octets[0] !== 0) return undefined
  const end = 5 + new DataView(octets.buffer, octets.byteOffset).getUint32(1)
  if (octets.length < end) return undefined
  let at = 5
  let status = 0
  const number = (): number => {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const octet = octets[at++] ?? 0
      value += (octet & 0x7f) * 2 ** shift
      if ((octet & 0x80) === 0) break
    }
    return value
  }
  while (at < end) {
    const tag = number()
    const wire = tag & 7
    if (wire === 0) {
      const value = number()
      if (tag >>> 3 === 1) status = value
    } else if (wire === 2) {
      const length = number()
      at += length
    } else if (wire === 1) at += 8
    else if (wire === 5) at += 4
    else return undefined
  }
  return at === end ? status : undefined
}
