import { createServer } from 'node:http'
import { monotonicMs } from './burst-client.ts'

// The origin of a burst, a process of its own. Arguments: port, how long it takes to answer, and how long between the first half of the
// body and the other. Told anything, it says what was asked since.

export interface Asked {
  readonly requests: number
  /** When the first octets of its last answer were sent (`monotonicMs`). */
  readonly sentAt: number
}

const [port, answerMs, bodyMs] = process.argv.slice(2).map(Number) as [number, number, number]
const half = Buffer.alloc(1024, 'x')
let asked = { requests: 0, sentAt: 0 }
const server = createServer((request, response) => {
  asked.requests++
  const isPrivate = request.url!.startsWith('/private')
  setTimeout(() => {
    response.writeHead(200, { 'Content-Length': 2 * half.length, 'Cache-Control': isPrivate ? 'no-store' : 'max-age=3600' })
    response.write(half)
    asked.sentAt = monotonicMs()
    // Until here both are held back.
    response.socket!.uncork()
    setTimeout(() => response.end(half), isPrivate ? 0 : bodyMs)
  }, request.url === '/1' ? 0 : answerMs)
})
server.keepAliveTimeout = 600_000
server.listen({ port, host: '127.0.0.1', backlog: 1024 }, () => process.send!('ready'))
process.on('message', () => {
  process.send!(asked satisfies Asked)
  asked = { requests: 0, sentAt: 0 }
})
process.on('disconnect', () => process.exit(0))
