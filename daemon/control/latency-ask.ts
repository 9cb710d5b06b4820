import { request } from 'node:http'
import { z } from 'zod'
import type { After } from '../../core/clock.ts'
import { LATENCY_PATH, type LatencyReport } from '../../core/latency-report.ts'
import { TIER_FIELD, type TierAuth } from '../../core/tier-auth.ts'

/** An edge that is asked, wherever it runs. */
export interface AskedEdge {
  readonly name: string
  readonly address: string
  readonly port: number
}

/** Asks an edge what is new since an earlier answer of its; why not, as a text. Never rejects. */
export type AskEdge = (edge: AskedEdge, since: string | undefined, now: number) => Promise<LatencyReport | string>

const WITHIN_MS = 5000
const LONGEST_ANSWER = 16 * 1024 * 1024

const report = z.strictObject({
  edge: z.string().max(64),
  boot: z.string().regex(/^[0-9a-f]{1,32}$/),
  at: z.int().min(0),
  rows: z.array(z.strictObject({ network: z.string().max(64), edge: z.string().max(64), ms: z.number(), samples: z.number(), addresses: z.number() }))
})

/** Over HTTP, each side proving that it is of the fleet. */
export function makeAskEdge(auth: TierAuth, after: After): AskEdge {
  return (edge, since, now) =>
    new Promise((resolve) => {
      const host = edge.address.includes(':') ? `[${edge.address}]` : edge.address
      const target = since === undefined ? LATENCY_PATH : `${LATENCY_PATH}?${since}`
      // As the edge sees it: a host without its port.
      const proof = auth.prove({ method: 'GET', host: host.toLowerCase(), target }, now)
      const headers = { host: edge.port === 80 ? host : `${host}:${edge.port}`, [TIER_FIELD]: proof.value, connection: 'close' }
      const query = request({ host: edge.address, port: edge.port, path: target, headers, agent: false, maxHeaderSize: 16 * 1024 })
      const cancel = after(WITHIN_MS, () => finish('no complete answer in time'))
      const finish = (outcome: LatencyReport | string): void => {
        cancel()
        query.destroy()
        resolve(outcome)
      }
      query.on('error', (error) => finish(error.message))
      query.on('response', (response) => {
        const pieces: Uint8Array[] = []
        let size = 0
        response.on('data', (piece: Uint8Array) => {
          size += piece.length
          if (size > LONGEST_ANSWER) finish('its answer is too long')
          else pieces.push(piece)
        })
        response.on('end', () => {
          const body = Buffer.concat(pieces).toString('utf8')
          if (response.statusCode !== 200) return finish(`status ${response.statusCode}`)
          const value = response.headers[TIER_FIELD]
          finish(typeof value === 'string' && auth.isAnswer(value, proof.nonce, 200, body) ? readReport(body) : 'its answer has no proof that it is of this fleet')
        })
        response.on('error', (error) => finish(error.message))
      })
      query.end()
    })
}

function readReport(body: string): LatencyReport | string {
  try {
    const read = report.safeParse(JSON.parse(body))
    return read.success ? read.data : 'its answer is none'
  } catch {
    return 'its answer is not JSON'
  }
}
