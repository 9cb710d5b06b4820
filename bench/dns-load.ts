import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { CaseName } from './dns-questions.ts'
import type { Load } from './dns-sender.ts'
import { end, findProgram, track } from './processes.ts'
import type { Run } from './sender/run.ts'

export type { Load } from './dns-sender.ts'
export type { Run } from './sender/run.ts'

/** The process that asks the questions of one case. */
export interface Sender {
  run(run: Run): Promise<Load>
  close(): Promise<void>
}

export async function openSender(name: CaseName): Promise<Sender> {
  const child = track(fork(fileURLToPath(new URL('./dns-sender.js', import.meta.url)), [name], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }))
  const next = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error('the sender ended'))
      child.once('exit', gone)
      child.once('message', (message) => {
        child.off('exit', gone)
        resolve(message)
      })
    })
  await next()
  return {
    run: async (run) => {
      const said = next()
      child.send(run)
      const load = (await said) as Load | string
      if (typeof load === 'string') throw new Error(load)
      return load
    },
    close: () => end(child)
  }
}

/** Offers `rate` queries a second from dnsperf, for one question; the answers it counts, or undefined where there is no dnsperf. */
export async function loadFromDnsperf(options: { port: number; file: string; seconds: number; rate: number }): Promise<{ sent: number; answered: number } | undefined> {
  const program = findProgram('dnsperf')
  if (program === undefined) return undefined
  const words = ['-s', '127.0.0.1', '-p', String(options.port), '-d', options.file, '-l', String(options.seconds), '-c', '8', '-T', '1', '-q', '128', '-b', '4096', '-Q', String(options.rate)]
  const child = track(spawn(program, words, { stdio: ['ignore', 'pipe', 'ignore'] }))
  let said = ''
  child.stdout!.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await once(child, 'close')
  const number = (label: string): number => Number(new RegExp(`${label}:\\s+([0-9.]+)`).exec(said)?.[1] ?? NaN)
  const load = { sent: number('Queries sent'), answered: number('Queries completed') }
  if (Number.isNaN(load.answered)) throw new Error(`dnsperf said: ${said.slice(-300)}`)
  return load
}
