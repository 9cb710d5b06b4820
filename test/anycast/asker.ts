import { createSocket } from 'node:dgram'
import { writeFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'

// A client inside a namespace: asks for id.server at a steady rate, never twice for one, and writes down at its end what came of it.
// asker.js ADDRESS QUERIES-PER-SECOND PATIENCE-MS FILE

export interface Asked {
  readonly sent: number
  readonly answered: number
  readonly lost: number
  /** Between the first query that was lost and the last, milliseconds. */
  readonly lostForMs: number
  /** When each of these was sent, wall time. */
  readonly lostAt: readonly number[]
  /** Answers, by who gave them. */
  readonly by: Readonly<Record<string, number>>
}

const [address = '', rate = '200', patience = '1000', file = ''] = process.argv.slice(2)
/** `id.server. CH TXT`, without its number. */
const QUESTION = Buffer.from('000000000001000000000000026964067365727665720000100003', 'hex')

const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
const waiting = new Map<number, { readonly at: number; readonly cancel: NodeJS.Timeout }>()
const by: Record<string, number> = {}
const lostAt: number[] = []
let [sent, answered, next] = [0, 0, 0]
const from = performance.now()

function ask(): void {
  next = (next + 1) & 0xffff
  const id = next
  const query = Buffer.from(QUESTION)
  query.writeUInt16BE(id)
  const at = performance.now()
  sent++
  waiting.set(id, { at, cancel: setTimeout(() => setImmediate(lose, id), Number(patience)) })
  socket.send(query, 53, address, () => undefined)
}

/** Only once what has come meanwhile has been read: this process may have been held up itself. */
function lose(id: number): void {
  const at = waiting.get(id)?.at
  if (at === undefined) return
  waiting.delete(id)
  lostAt.push(Math.round(performance.timeOrigin + at))
}

socket.on('error', () => undefined)
socket.on('message', (answer) => {
  const id = answer.readUInt16BE(0)
  const asked = waiting.get(id)
  if (asked === undefined) return
  clearTimeout(asked.cancel)
  waiting.delete(id)
  answered++
  // The only string of the one record is the end of the message, unless there is EDNS, which was not asked for.
  const at = answer.lastIndexOf(Buffer.from('00100003', 'hex'))
  const name = answer.subarray(at + 11, at + 11 + (answer[at + 10] ?? 0)).toString('latin1')
  by[name] = (by[name] ?? 0) + 1
})
const timer = setInterval(() => {
  for (let due = Math.floor(((performance.now() - from) * Number(rate)) / 1000) - sent; due > 0; due--) ask()
}, 5)
process.on('SIGTERM', () => {
  clearInterval(timer)
  const end = setInterval(() => {
    if (waiting.size > 0) return
    clearInterval(end)
    writeFileSync(file, JSON.stringify({ sent, answered, lost: lostAt.length, lostForMs: (lostAt.at(-1) ?? 0) - (lostAt[0] ?? 0), lostAt, by } satisfies Asked))
    process.exit(0)
  }, 20)
})
