import { Agent, request, type IncomingHttpHeaders } from 'node:http'
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import zlib from 'node:zlib'
import type { Random } from '../helpers/random.ts'
import { bodyOf, digestOf } from './edge-origin.ts'
import { SOAK_HOST } from './edge-members.ts'

/** How a client speaks. */
export type Speech = 'http' | 'tls' | 'http2'

/** What came in answer to a request. */
interface Answer {
  readonly status: number
  readonly fields: IncomingHttpHeaders
  readonly body: Buffer
  readonly isWhole: boolean
}

/** A client on one connection at a time. */
export interface SoakClient {
  /** `right`, `refused`, `broken`, or what is wrong with it. @param path @param random chooses parts, conditions and codings */
  ask(path: string, random?: Random): Promise<string>
  close(): void
}

const UNDO = { gzip: zlib.gunzipSync, br: zlib.brotliDecompressSync } as Readonly<Record<string, (body: Buffer) => Buffer>>
const SILENT_MS = 20_000

export function makeClient(speech: Speech, address: string, port: number): SoakClient {
  const wire = speech === 'http2' ? overHttp2(address, port) : overHttp1(speech, address, port)
  /** The tag of what this client had last of a path. */
  const tags = new Map<string, string>()
  return {
    ask: async (path, random) => {
      const kind = random?.below(10) ?? 9
      const [from, to] = [random?.below(900) ?? 0, 100 + (random?.below(20_000) ?? 0)]
      const tag = tags.get(path)
      const headers: Record<string, string> = {
        ...(kind < 2 && { Range: `bytes=${from}-${from + to}` }),
        ...(kind === 2 && { Range: `bytes=-${to}` }),
        ...((kind === 3 || kind === 4) && tag !== undefined && { 'If-None-Match': tag }),
        ...(kind === 5 && { 'Accept-Encoding': 'gzip' }),
        ...(kind === 6 && { 'Accept-Encoding': 'br, gzip;q=0.5' })
      }
      const answer = await wire.ask(path, headers)
      if (answer === undefined || !answer.isWhole) return 'broken'
      if (answer.fields.etag !== undefined && tags.size < 1000) tags.set(path, answer.fields.etag)
      return judge(path, headers, answer)
    },
    close: () => wire.close()
  }
}

/** Whether an answer is right, by what its tag says that it is of. */
function judge(path: string, headers: Record<string, string>, { status, fields, body }: Answer): string {
  if (status >= 500) return 'refused'
  const about = `${path} ${JSON.stringify(headers)} (${fields['cache-status']})`
  if (status === 304) return headers['If-None-Match'] !== undefined && fields.etag?.replace('W/', '') === headers['If-None-Match'].replace('W/', '') ? 'right' : `${about}: 304 of ${fields.etag}`
  if (status === 416 && headers['Range'] !== undefined) return 'right'
  if (status !== 200 && status !== 206) return `${about}: status ${status}`
  if (fields['x-path'] !== path) return `${about}: got ${String(fields['x-path'])}`
  const edition = Number(/"(\d+)"/.exec(fields.etag ?? '')?.[1])
  const wanted = bodyOf(path, edition)
  if (fields['x-sum'] !== digestOf(wanted)) return `${about}: the sum is not of its tag`
  if (status === 206) {
    const [, first, last, length] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(String(fields['content-range'])) ?? []
    return Number(length) === wanted.length && body.equals(wanted.subarray(Number(first), Number(last) + 1)) ? 'right' : `${about}: not ${String(fields['content-range'])} of edition ${edition}`
  }
  const coding = fields['content-encoding']
  const plain = coding === undefined ? body : UNDO[coding]?.(body)
  return plain?.equals(wanted) === true ? 'right' : `${about}: ${body.length} octets that are not edition ${edition}, coded ${coding ?? 'not at all'}`
}

interface Wire {
  /** Undefined where nothing came. */
  ask(path: string, headers: Record<string, string>): Promise<Answer | undefined>
  close(): void
}

function overHttp1(speech: Speech, address: string, port: number): Wire {
  const isSecure = speech === 'tls'
  const agent = isSecure ? new SecureAgent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false, servername: SOAK_HOST }) : new Agent({ keepAlive: true, maxSockets: 1 })
  return {
    ask: (path, headers) =>
      new Promise((resolve) => {
        const options = { agent, host: address, port, path, headers: { Host: SOAK_HOST, ...headers } }
        const outgoing = (isSecure ? secureRequest : request)(options, (response) => {
          const pieces: Buffer[] = []
          response.on('data', (piece: Buffer) => pieces.push(piece))
          response.on('error', () => undefined)
          response.on('close', () => resolve({ status: response.statusCode!, fields: response.headers, body: Buffer.concat(pieces), isWhole: response.complete }))
        })
        outgoing.setTimeout(SILENT_MS, () => outgoing.destroy())
        outgoing.on('error', () => resolve(undefined))
        outgoing.end()
      }),
    close: () => agent.destroy()
  }
}

function overHttp2(address: string, port: number): Wire {
  let session: ClientHttp2Session | undefined
  const open = (): ClientHttp2Session => {
    const opened = connectHttp2(`https://${SOAK_HOST}:${port}`, { lookup: (_name, _options, done) => done(null, [{ address, family: 4 }]), rejectUnauthorized: false })
    opened.on('error', () => undefined).on('close', () => session === opened && (session = undefined))
    return opened
  }
  return {
    ask: (path, headers) =>
      new Promise((resolve) => {
        session ??= open()
        const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
        const stream = session.request({ ':path': path, ':authority': SOAK_HOST, ...lower })
        const pieces: Buffer[] = []
        let fields: (IncomingHttpHeaders & { ':status'?: number }) | undefined
        let isEnded = false
        stream.on('response', (got) => (fields = got as IncomingHttpHeaders))
        stream.on('data', (piece: Buffer) => pieces.push(piece)).on('end', () => (isEnded = true))
        stream.on('error', () => undefined)
        stream.setTimeout(SILENT_MS, () => stream.destroy())
        stream.on('close', () => resolve(fields === undefined ? undefined : { status: fields[':status']!, fields, body: Buffer.concat(pieces), isWhole: isEnded && stream.rstCode === 0 }))
      }),
    close: () => session?.destroy()
  }
}
