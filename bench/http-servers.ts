import { mkdirSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../core/clock.ts'
import { configSchema } from '../core/config.ts'
import { ownTls } from '../core/own-tls.ts'
import { keepCertificates } from '../fleet/authority/index.ts'
import { HOST, httpPeers, type HttpPeer, type Place, type Running } from './http-peers/index.ts'
import { refuseUnknown, type BenchOptions } from './options.ts'
import { say } from './results.ts'

// The caching servers that take part in a bench, up together and idle but for the one that is asked.

export const FIRST_PORT = 14700
/** Between a server and the next one. */
const STEP = 20

/** A server that takes part, and where. */
export interface Standing {
  readonly peer: HttpPeer
  readonly place: Place
  readonly running: Running
}

/** Those that are wanted and installed; ours always. */
export function peersFor({ only }: BenchOptions): HttpPeer[] {
  refuseUnknown(only, httpPeers.map(({ name }) => name), 'server')
  return httpPeers.filter((peer) => {
    if (peer.ours !== true && only.length > 0 && !only.includes(peer.name)) return false
    const reason = peer.missing()
    if (reason !== undefined) say(`${peer.name} is left out: ${reason}`)
    return reason === undefined
  })
}

/** Has them all run for as long as some work takes. */
export async function withServers(peers: readonly HttpPeer[], { folder, origin, tiers }: { folder: string; origin: number; tiers: 1 | 2 }, work: (standing: readonly Standing[]) => Promise<void>): Promise<void> {
  mkdirSync(folder)
  const tls = ownTls(folder)
  keepCertificates(folder, configSchema.parse({ https: {}, distributions: { bench: { behaviours: [{ path: '/*', origin: 'bench' }] } }, origins: { bench: { url: 'http://127.0.0.1:1' } } }), systemClock.now())
  const standing: Standing[] = []
  try {
    for (const [number, peer] of peers.entries()) {
      const place: Place = { folder: join(folder, String(number)), port: FIRST_PORT + 1 + number * STEP, origin, tls }
      standing.push({ peer, place, running: await (tiers === 1 ? peer.start(place) : peer.startTwo(place)) })
    }
    for (const each of standing) await untilItAnswers(each)
    await work(standing)
  } finally {
    for (const { running } of standing) await running.end()
  }
}

async function untilItAnswers({ peer, place, running }: Standing): Promise<void> {
  for (let tries = 0; (await statusOf(place.port, '/1')) !== 200; tries++) {
    if (tries > 100) throw new Error(`${peer.name} does not answer: ${running.said()}`)
    await sleep(100)
  }
}

export function statusOf(port: number, path: string): Promise<number> {
  return new Promise((resolve) => {
    const outgoing = request({ host: '127.0.0.1', port, path, headers: { Host: HOST } }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode!))
    })
    outgoing.on('error', () => resolve(0)).end()
  })
}
