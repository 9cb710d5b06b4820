import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { end, start } from './processes.ts'

/** When each of many clients had the first octet of its answer and of its body: milliseconds after they were about to ask, sorted. */
export interface Heard {
  /** When they were about to ask, as `monotonicMs`. */
  readonly from: number
  readonly heads: readonly number[]
  readonly bodies: readonly number[]
  /** Answers that were not those that were expected. */
  readonly wrong: number
}

/** The same for all processes. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6

/** Connections to one server, which bench/burst-client.c holds. */
export interface Clients {
  /** Has `count` of them ask from the one of number `first` on, at once. */
  ask(first: number, count: number, path: string): Promise<Heard>
  close(): Promise<void>
}

/** @param command the client and what goes before it */
export async function openClients(command: readonly string[], { host, port, count }: { host: string; port: number; count: number }): Promise<Clients> {
  const { child, said } = start(command[0]!, [...command.slice(1), String(port), host], 'commands')
  const tell = answersOf(child, said)
  await tell(`open ${count}`)
  return {
    ask: async (first, many, path) => readHeard(await tell(`ask ${first} ${many} ${path}`)),
    close: () => end(child)
  }
}

/** Sends lines, one at a time, each of which is answered with one. */
function answersOf(child: ChildProcess, said: () => string): (line: string) => Promise<string> {
  const lines = createInterface({ input: child.stdout! })
  return (line) =>
    new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error(`the clients are gone: ${said().slice(-200)}`))
      child.once('exit', gone)
      lines.once('line', (answer) => {
        child.off('exit', gone)
        resolve(answer)
      })
      child.stdin!.write(`${line}\n`)
    })
}

function readHeard(line: string): Heard {
  const [from, wrong, ...times] = line.split(' ').map(Number) as [number, number, ...number[]]
  const sorted = (which: number): number[] => times.filter((time, at) => at % 2 === which && time > 0).map((time) => (time - from) / 1e6).sort((a, b) => a - b)
  return { from: from / 1e6, heads: sorted(0), bodies: sorted(1), wrong }
}
