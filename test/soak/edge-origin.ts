import { createHash } from 'node:crypto'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { Random } from '../helpers/random.ts'

/** How an origin fares with its requests for now. */
export type Mood = 'well' | 'failing' | 'breaking' | 'silent'

export interface SoakOrigin {
  mood: Mood
  /** Requests that it read. */
  asked: number
  close(): Promise<void>
}

/** What lies under a path: octets that say which path and which edition they are, and whoever has them can tell that they are whole. */
export function bodyOf(path: string, edition: number): Buffer {
  const number = Number(/^\/(\d+)/.exec(path)?.[1] ?? 0)
  const line = `${path} ${edition} ${createHash('sha256').update(`${path} ${edition}`).digest('hex')}\n`
  const size = number % 37 === 0 ? 400_000 : number % 5 === 0 ? 30_000 : 700
  return Buffer.from(line.repeat(Math.ceil(size / line.length)), 'latin1')
}

export const digestOf = (body: Buffer): string => createHash('sha256').update(body).digest('base64url')

/** Each second is an edition; what is stored under a path is fresh for a second or two, is never to be stored, or varies. */
export async function startSoakOrigin(port: number, random: Random, now: () => number): Promise<SoakOrigin> {
  const state: { mood: Mood; asked: number } = { mood: 'well', asked: 0 }
  const server: Server = createServer((request, response) => {
    state.asked++
    const path = request.url!
    const mood = state.mood === 'well' || random.percent(50) ? 'well' : state.mood
    if (mood === 'silent') return
    if (mood === 'failing') return void response.writeHead(503, { 'Content-Length': 0 }).end()
    answer(response, path, Math.floor(now() / 1000), mood === 'breaking', random)
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  return Object.assign(state, {
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  })
}

function answer(response: ServerResponse, path: string, edition: number, breaks: boolean, random: Random): void {
  const body = bodyOf(path, edition)
  const fields = { 'Content-Type': 'text/plain', 'X-Path': path, 'X-Sum': digestOf(body), 'Cache-Control': path.endsWith('private') ? 'no-store' : `max-age=${1 + random.below(2)}`, ETag: `"${edition}"` }
  // Half of them without a length: then the last chunk alone tells that all has come.
  response.writeHead(200, random.percent(50) ? { ...fields, 'Content-Length': body.length } : fields)
  if (!breaks) return void response.end(body)
  response.write(body.subarray(0, random.below(body.length)), () => response.destroy())
}
