import { createServer } from 'node:http'

export interface OffloadOrigin {
  /** Requests, and those of them that were answered with 304. */
  asked: number
  unchanged: number
  close(): void
}

const OCTETS = Buffer.alloc(16 * 1024, 'x')

/** @param things what there is under a path: octets, and seconds for which it is fresh */
export async function startOffloadOrigin(address: string, port: number, now: () => number, things: (target: string) => { readonly size: number; readonly ttl: number }): Promise<OffloadOrigin> {
  const server = createServer((request, response) => {
    origin.asked++
    const { size, ttl } = things(request.url!)
    const etag = `"${request.url!}"`
    const fields = { Date: new Date(now()).toUTCString(), 'Cache-Control': `max-age=${ttl}`, ETag: etag }
    if (request.headers['if-none-match'] !== etag) return void response.writeHead(200, { ...fields, 'Content-Length': size }).end(OCTETS.subarray(0, size))
    origin.unchanged++
    response.writeHead(304, fields).end()
  })
  server.keepAliveTimeout = 600_000
  const origin = {
    asked: 0,
    unchanged: 0,
    close: () => {
      server.close()
      server.closeAllConnections()
    }
  }
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ port, host: address, backlog: 1024 }, resolve))
  return origin
}
