import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { pino } from 'pino'
import type { Test } from 'tap'
import { systemClock } from '../../core/clock.ts'
import type { RunningWorker } from '../../edge/index.ts'
import { makeAuthority, type Issued } from '../../fleet/authority/index.ts'
import { startOrigin, type Origin } from './origin.ts'
import { configOf, startMember } from './workers.ts'

// An edge that speaks TLS, with an authority of its own.

export const DAY = 86_400_000
export const now = systemClock.now()
export const authority = makeAuthority('test authority', now, now + 10 * DAY)

export async function until(what: string, isThere: () => boolean | Promise<boolean>): Promise<void> {
  const end = systemClock.elapsed() + 30_000
  while (!(await isThere())) {
    if (systemClock.elapsed() > end) throw new Error(`not seen in 30 s: ${what}`)
    await sleep(20)
  }
}

export function temporary(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-tls-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

export function put(folder: string, name: string, issued: Issued): { certificate: string; key: string } {
  const files = { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) }
  writeFileSync(files.certificate, issued.certificate)
  writeFileSync(files.key, issued.key)
  return files
}

export interface SecureEdge {
  readonly worker: RunningWorker
  readonly origin: Origin
  readonly port: number
  readonly httpPort: number
  /** What the worker logged. */
  said(): string
}

export async function makeSecureEdge(t: Test, stateFolder: string, keys: { https?: object; http?: object; d1?: object; d2?: object }): Promise<SecureEdge> {
  const origin = await startOrigin()
  origin.answers.set('/', { status: 200, fields: [['Cache-Control', 'max-age=60']], body: 'hello' })
  const config = configOf({
    http: keys.http ?? {},
    https: keys.https ?? {},
    edges: { icn: { address: '127.0.0.1', city: 'Seoul', at: [37, 126] } },
    origins: { main: { url: `http://127.0.0.1:${origin.port}` } },
    distributions: { d1: { ...keys.d1, behaviours: [{ path: '/*', origin: 'main' }] }, d2: { ...keys.d2, behaviours: [{ path: '/*', origin: 'main' }] } }
  })
  let said = ''
  const log = pino({}, { write: (line: string) => void (said += line) })
  const worker = await startMember({ role: 'edge', name: 'icn', config, port: 0, https: 0, clock: systemClock, stateFolder, log })
  t.teardown(async () => {
    await worker.close(0)
    await origin.close()
  })
  const [httpPort, port] = worker.listening.map((url) => Number(url.split(':').at(-1)))
  return { worker, origin, port: port!, httpPort: httpPort!, said: () => said }
}

export function shake(port: number, servername: string, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca: authority.certificate, ALPNProtocols: ['http/1.1'], ...(servername !== '' && { servername }), ...options })
    socket.once('secureConnect', () => resolve(socket)).once('error', reject)
  })
}
