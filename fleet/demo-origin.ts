import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { attach, type Injection } from '../core/channel.ts'
import { systemClock } from '../core/clock.ts'
import { delayOf, demoPage, etagOf } from './demo-site.ts'

// The process of the demo origin. It listens on loopback as configured, and answers whoever asks.

attach(async (setup, channel) => {
  const origin = setup.config.origins[setup.name]
  if (origin === undefined || !('demo' in origin)) throw new Error(`the configuration has no demo origin ${setup.name}`)
  let injected: Injection | undefined
  const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
    if (injected === undefined) answer(request, response)
    else if (injected.kind === 'delay') setTimeout(() => answer(request, response), injected.ms)
    else if (injected.kind === 'error') response.writeHead(injected.status).end()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: origin.demo, port: setup.ports.http, exclusive: true }, resolve)
  })
  channel.send({ kind: 'ready', listening: [`http://${origin.demo}:${setup.ports.http}`] })
  return (message) => {
    if (message.kind === 'inject') {
      // Whoever was told nothing asks again.
      if (injected?.kind === 'silence') server.closeAllConnections()
      injected = message.injection
    }
    if (message.kind !== 'stop') return
    server.close(() => process.exit(0))
    server.closeIdleConnections()
    setTimeout(() => process.exit(0), message.withinMs)
  }
})

function answer(request: IncomingMessage, response: ServerResponse): void {
  const target = request.url ?? '/'
  const wait = delayOf(target)
  const send = (): void => {
    const now = systemClock.now()
    const page = demoPage({ target, now, via: request.headers.via })
    const stored = page.cacheControl !== 'no-store'
    const headers: Record<string, string | number> = { 'Content-Type': page.type, 'Cache-Control': page.cacheControl }
    if (stored) headers['ETag'] = etagOf(page)
    const unchanged = stored && page.status === 200 && request.headers['if-none-match'] === headers['ETag']
    if (unchanged) return void response.writeHead(304, headers).end()
    const body = request.method === 'HEAD' || page.status === 204 || page.status === 304 ? undefined : page.body
    response.writeHead(page.status, page.status === 204 || page.status === 304 ? headers : { ...headers, 'Content-Length': page.body.length }).end(body)
  }
  if (wait === 0) send()
  else setTimeout(send, wait)
}
