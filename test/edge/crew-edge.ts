import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Purge, PurgeOrder } from '../../core/purge.ts'
import { systemClock } from '../../core/clock.ts'
import { ownTls } from '../../core/own-tls.ts'
import { canSharePort, type RunningCrew } from '../../edge/index.ts'
import { keepCertificates } from '../../fleet/authority/index.ts'
import { connectClient, type Client, type Reply } from './client.ts'
import { startOrigin, type Answer, type Origin } from './origin.ts'
import { HOST } from './websocket.ts'
import { configOf, startEdge } from './workers.ts'

// An edge of several workers for real: threads on one port, and an origin that counts what it is asked.

export const ADDRESS = '127.26.0.1'
export const skip = canSharePort() ? false : 'several workers need Linux and koffi'

export interface Edge {
  readonly origin: Origin
  readonly crew: RunningCrew
  readonly failed: Promise<void>
  readonly port: number
  /** Its port, and the file of its authority. */
  readonly https: { readonly port: number; readonly ca: string }
  connect(): Promise<Client>
  /** On a connection of its own, so that any worker may have it. */
  ask(target: string, fields?: string, method?: string): Promise<Reply>
  purge(order: Pick<PurgeOrder, 'kind' | 'what'>): Promise<void>
  /** Asks on so many new connections that each worker is met. */
  askAll(target: string, fields?: string): Promise<Reply[]>
}

export async function makeEdge(t: Test, workers: number, keys: Record<string, unknown> = {}): Promise<Edge> {
  const stateFolder = mkdtempSync(join(tmpdir(), 'nearcast-crew-'))
  const origin = await startOrigin()
  const config = configOf({
    edges: { icn: { address: ADDRESS, city: 'Seoul', at: [37, 126], workers } },
    log: 'error',
    origins: { main: { url: `http://127.0.0.1:${origin.port}` } },
    distributions: { d1: { behaviours: [{ path: '/*', origin: 'main' }] } },
    ...keys
  })
  const port = await freePort()
  let fail: () => void = () => undefined
  const failed = new Promise<void>((resolve) => (fail = resolve))
  const https = await freePort()
  if (config.https !== undefined) keepCertificates(stateFolder, config, systemClock.now())
  const crew = await startEdge({ name: 'icn', config, port, https, stateFolder, failed: fail })
  t.teardown(async () => {
    await crew.close(0)
    await origin.close()
    rmSync(stateFolder, { recursive: true, force: true })
  })
  const connect = (): Promise<Client> => connectClient(ADDRESS, port)
  const ask = async (target: string, fields = '', method = 'GET'): Promise<Reply> => {
    const client = await connect()
    client.send(`${method} ${target} HTTP/1.1\r\nHost: ${HOST}\r\n${fields}\r\n`)
    const reply = await client.reply(method === 'HEAD')
    client.close()
    return reply
  }
  let number = systemClock.now()
  return {
    origin,
    crew,
    failed,
    port,
    https: { port: https, ca: ownTls(stateFolder).authority },
    connect,
    ask,
    purge: async (order) => crew.purge({ ...order, soft: false, number: ++number, at: systemClock.now() } satisfies Purge),
    askAll: async (target, fields) => {
      const replies: Reply[] = []
      // Of forty connections none of three workers is without one.
      while (replies.length < 40) replies.push(...(await Promise.all(Array.from({ length: 10 }, () => ask(target, fields)))))
      return replies
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, ADDRESS, resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

export const page = (body: string, ...fields: readonly (readonly [string, string])[]): Answer => ({ status: 200, fields: [['Cache-Control', 'max-age=600'], ...fields], body })
export const bodies = (replies: readonly Reply[]): string[] => [...new Set(replies.map(({ body }) => body))]
