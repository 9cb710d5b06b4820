import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../core/clock.ts'
import { queryPacket } from './flood.ts'
import { median } from './processes.ts'

/** How a client in earnest fared. */
export interface Fared {
  readonly asked: number
  readonly answered: number
  /** Of the answered: over TCP, because UDP said TC. */
  readonly overTcp: number
  readonly medianMs: number
}

const PATIENCE_MS = 1000
/** As a resolver: it asks again when nothing has come. */
const RETRY_MS = 350

/** Asks for a name every so often until told to stop: over UDP, with two more tries, and over TCP where UDP is truncated or `transport` says so. */
export function askInEarnest(options: { port: number; from: string; name: string; everyMs: number; transport: 'udp' | 'tcp' }): { stop(): Promise<Fared> } {
  const { port, from, name, everyMs, transport } = options
  const times: number[] = []
  const counts = { asked: 0, answered: 0, overTcp: 0 }
  const one = async (id: number): Promise<void> => {
    const start = systemClock.elapsed()
    counts.asked++
    const question = queryPacket(name, { id, options: Buffer.alloc(0) })
    const answer = transport === 'udp' ? await askUdp(port, from, question) : await askTcp(port, from, question)
    const again = transport === 'udp' && answer !== undefined && (answer[2]! & 2) !== 0
    const final = again ? await askTcp(port, from, question) : answer
    if (final === undefined || final[7] === 0) return
    counts.answered++
    if (again) counts.overTcp++
    times.push(systemClock.elapsed() - start)
  }
  const stopped = new AbortController()
  const run = async (): Promise<void> => {
    const under: Promise<void>[] = []
    for (let id = 1; !stopped.signal.aborted; id++) {
      under.push(one(id & 0xffff))
      await sleep(everyMs)
    }
    await Promise.all(under)
  }
  const running = run()
  return {
    stop: async () => {
      stopped.abort()
      await running
      return { ...counts, medianMs: times.length === 0 ? NaN : median(times) }
    }
  }
}

async function askUdp(port: number, from: string, question: Buffer): Promise<Buffer | undefined> {
  const socket = createSocket('udp4')
  const answer = new Promise<Buffer>((resolve) => socket.once('message', resolve))
  socket.on('error', () => undefined)
  await new Promise<void>((resolve) => socket.bind(0, from, resolve))
  try {
    for (let tries = 0; tries < 3; tries++) {
      socket.send(question, port, '127.0.0.1')
      const got = await Promise.race([answer, sleep(RETRY_MS, undefined)])
      if (got !== undefined) return got
    }
    return undefined
  } finally {
    socket.close()
  }
}

function askTcp(port: number, from: string, question: Buffer): Promise<Buffer | undefined> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from })
  return new Promise((resolve) => {
    let got = Buffer.alloc(0)
    const settle = (answer: Buffer | undefined): void => {
      clearTimeout(limit)
      socket.destroy()
      resolve(answer)
    }
    const limit = setTimeout(() => settle(undefined), PATIENCE_MS)
    socket.on('error', () => settle(undefined))
    socket.on('close', () => settle(undefined))
    socket.on('data', (chunk) => {
      got = Buffer.concat([got, chunk])
      if (got.length >= 2 && got.length >= 2 + got.readUInt16BE()) settle(got.subarray(2))
    })
    socket.write(Buffer.concat([Buffer.of(0, question.length), question]))
  })
}
