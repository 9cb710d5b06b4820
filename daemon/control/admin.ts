import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { parseAddress } from '../../core/address.ts'
import type { After } from '../../core/clock.ts'
import { messageOf } from '../../core/trouble.ts'
import { refuse, type Control, type Reply } from './admin-call.ts'
import { calls } from './admin-calls.ts'
import { makeStops } from './admin-stop.ts'

export interface AdminOptions extends Omit<Control, 'stops'> {
  readonly after: After
}

export interface Admin {
  /** `http://127.0.0.1:8053` */
  readonly url: string
  close(): Promise<void>
}

const LARGEST_BODY = 16 * 1024
const MOST_CONNECTIONS = 128
const MOST_IDLE = 32
const LIMITS = { headersTimeout: 5000, requestTimeout: 10_000, keepAliveTimeout: 5000, connectionsCheckingInterval: 1000, maxHeaderSize: 8192 }

/**
 * Listens on `admin.listen` and the admin port of the setup. Web pages and other local users get nothing: every call needs the
 * token, a Host of ours (against rebound names) and no Origin. Rejects when it cannot listen, or when the setup has no token.
 */
export async function startAdmin(options: AdminOptions): Promise<Admin> {
  const { setup, health, log } = options
  const token = setup.adminToken
  if (token === undefined || token === '') throw new Error('the admin API needs a token')
  const { listen } = setup.config.admin
  const stops = makeStops({ health, fleet: options.fleet, clock: options.clock, after: options.after, log, routedTtl: () => options.status().routedTtl })
  const control: Control = { ...options, stops }
  const server = createServer(LIMITS, (request, response) => {
    void answer(request, { listen, port: portOf(server), token }, control).then(
      (reply) => send(request, response, reply),
      (error: unknown) => {
        // Whoever went away in the middle of a request waits for no answer.
        if (request.destroyed && !request.complete) return
        log.error({ path: request.url?.split('?')[0], err: error }, `the admin API failed: ${messageOf(error)}`)
        send(request, response, refuse(500, 'this failed inside the daemon; its log says how'))
      }
    )
  })
  server.maxConnections = MOST_CONNECTIONS
  server.maxRequestsPerSocket = 1000
  boundIdle(server)
  server.on('clientError', (_, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    else socket.destroy()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: listen, port: setup.ports.admin }, resolve)
  })
  server.on('error', (error) => log.error({ err: error }, `the admin API: ${error.message}`))
  return {
    url: `http://${listen.includes(':') ? `[${listen}]` : listen}:${portOf(server)}`,
    close: () =>
      new Promise((resolve) => {
        stops.close()
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

/** Connections that ask nothing make room for new ones, the oldest first: nobody without the token can keep others out. */
function boundIdle(server: Server): void {
  const idle = new Set<Socket>()
  const rest = (socket: Socket): void => {
    if (!socket.destroyed) idle.add(socket)
    for (const oldest of idle) {
      if (idle.size <= MOST_IDLE) break
      idle.delete(oldest)
      oldest.destroy()
    }
  }
  server.on('connection', (socket: Socket) => {
    socket.on('close', () => idle.delete(socket))
    rest(socket)
  })
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    idle.delete(socket)
    response.on('finish', () => rest(socket))
  })
}

interface Guard {
  readonly listen: string
  readonly port: number
  readonly token: string
}

async function answer(request: IncomingMessage, guard: Guard, control: Control): Promise<Reply> {
  const { host, origin, authorization } = request.headers
  if (!isOwnHost(host, guard)) return refuse(403, `the admin API is not reached as ${host ?? 'a nameless host'}`)
  if (origin !== undefined) return refuse(403, 'the admin API is not for web pages')
  if (!mayCall(authorization, guard.token)) return refuse(401, 'expected Authorization: Bearer with the token of admin.token in the state folder')
  const [pathname = '', query] = (request.url ?? '').split('?', 2)
  const known = calls.map((call) => call.path)
  const call = calls.find((each) => each.path === pathname)
  if (call === undefined) return { status: 404, body: { error: `there is no ${pathname}`, known } }
  if (call.method !== request.method) return refuse(405, `${call.path} is asked with ${call.method}`)
  if (call.method === 'GET') return call.answer(Object.fromEntries(new URLSearchParams(query)), control)
  const body = await readBody(request)
  if (body === undefined) return refuse(413, `a body has at most ${LARGEST_BODY} octets`)
  let input: unknown
  try {
    input = body === '' ? {} : JSON.parse(body)
  } catch {
    return refuse(400, 'the body is not JSON')
  }
  return call.answer(input, control)
}

/** The whole body, or undefined as soon as it is too long; what follows stays unread and the connection is closed. */
function readBody(request: IncomingMessage): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let size = 0
    request.on('data', (chunk: Uint8Array) => {
      size += chunk.length
      if (size <= LARGEST_BODY) chunks.push(chunk)
      else {
        request.pause()
        resolve(undefined)
      }
    })
    request.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
    request.on('error', reject)
  })
}

function send(request: IncomingMessage, response: ServerResponse, { status, body }: Reply): void {
  if (response.headersSent || response.destroyed) return
  const text = `${JSON.stringify(body)}\n`
  // What was not read of the request must not be taken for the next one.
  const close = status >= 400 || !request.complete
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    ...(close ? { connection: 'close' } : {})
  })
  response.end(text)
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

/** Whether a Host header names this listener: its address or localhost, with its port or none. Any address where it listens on all. */
function isOwnHost(host: string | undefined, { listen, port }: Guard): boolean {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(host ?? '')
  if (match === null || (match[3] !== undefined && Number(match[3]) !== port)) return false
  const name = (match[1] ?? match[2]!).toLowerCase()
  if (name === 'localhost' || name === listen.toLowerCase()) return true
  return (listen === '0.0.0.0' || listen === '::') && parseAddress(name) !== undefined
}

/** Compares digests, so that neither the length nor the first difference shows in the time. */
function mayCall(authorization: string | undefined, token: string): boolean {
  const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? ''
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(token))
}
