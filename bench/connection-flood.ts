import { fork } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../core/clock.ts'
import { queryPacket } from './flood.ts'

// A process that opens TCP connections at a rate and keeps them, asking nothing or one thing.

export interface ConnectionTask {
  readonly port: number
  readonly seconds: number
  readonly rate: number
  readonly sources: readonly string[]
  /** Name to ask for once on each; absent: silence. */
  readonly name?: string
}

export interface ConnectionFlood {
  readonly opened: number
  /** Closed, or never accepted. */
  readonly lost: number
}

/** Floods from a process of its own. */
export async function floodConnections(task: ConnectionTask): Promise<ConnectionFlood> {
  const child = fork(fileURLToPath(import.meta.url), [ROLE], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const result = new Promise<ConnectionFlood>((resolve, reject) => {
    child.once('message', (flood: ConnectionFlood) => resolve(flood))
    child.once('exit', () => reject(new Error('the flood ended without a result')))
  })
  child.send(task)
  return result
}

const ROLE = 'flood of connections'
if (process.argv[2] === ROLE) process.once('message', (task: ConnectionTask) => run(task))

function run({ port, seconds, rate, sources, name }: ConnectionTask): void {
  const held = new Set<Socket>()
  let opened = 0
  let lost = 0
  const question = name === undefined ? undefined : queryPacket(name)
  const start = systemClock.elapsed()
  const open = (): void => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: sources[opened++ % sources.length]! })
    held.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      lost++
      held.delete(socket)
    })
    if (question !== undefined) socket.write(Buffer.concat([Buffer.of(0, question.length), question]))
    socket.resume()
  }
  const timer = setInterval(() => {
    const elapsed = systemClock.elapsed() - start
    const due = Math.floor((Math.min(elapsed, seconds * 1000) * rate) / 1000)
    for (let left = due - opened; left > 0; left--) open()
    if (elapsed < seconds * 1000) return
    clearInterval(timer)
    process.send!({ opened, lost } satisfies ConnectionFlood, () => process.exit(0))
  }, 5)
}
