import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { findProgram } from './processes.ts'

/** What a stretch of load came to. */
export interface Load {
  readonly sent: number
  readonly answered: number
  readonly perSecond: number
  /** Answers with the RCODE that was expected; with an answer section where that is NOERROR (as far as the sender looks). */
  readonly right: number
}

export type Rcode = 'NOERROR' | 'NXDOMAIN'

/** Offers `rate` queries a second from dnsperf: the questions of a file over and over, in its format. */
export async function loadFromDnsperf(options: { port: number; file: string; seconds: number; rate: number; rcode: Rcode }): Promise<Load> {
  const words = ['-s', '127.0.0.1', '-p', String(options.port), '-d', options.file, '-l', String(options.seconds), '-c', '8', '-T', '1', '-q', '1000', '-b', '4096', '-Q', String(options.rate)]
  const child = spawn(findProgram('dnsperf')!, words, { stdio: ['ignore', 'pipe', 'ignore'] })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await once(child, 'close')
  const number = (label: string): number => Number(new RegExp(`${label}:\\s+([0-9.]+)`).exec(said)?.[1] ?? NaN)
  const load = { sent: number('Queries sent'), answered: number('Queries completed'), perSecond: number('Queries per second'), right: Number(new RegExp(`${options.rcode} (\\d+)`).exec(said)?.[1] ?? 0) }
  if (Number.isNaN(load.answered)) throw new Error(`dnsperf said: ${said.slice(-300)}`)
  return load
}

/** What the sender is told. */
export interface SenderTask {
  readonly port: number
  readonly seconds: number
  readonly rate: number
  readonly rcode: Rcode
  /** Queries in hexadecimal, sent in turn. */
  readonly packets: readonly string[]
}

/** Offers queries that dnsperf cannot make, from a process of our own. */
export async function loadFromSender(task: SenderTask): Promise<Load> {
  const child = fork(fileURLToPath(new URL('./dns-sender.js', import.meta.url)), [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const answer = new Promise<Load>((resolve, reject) => {
    child.once('message', (load: Load) => resolve(load))
    child.once('exit', () => reject(new Error('the sender ended without a result')))
  })
  child.send(task)
  return answer
}
