import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HOST, TLS_PORTS, type Running } from './http-peers/index.ts'
import { STREAMS, type Case, type Drawn, type Repeated } from './http-cases.ts'
import { familyOf, findProgram, start, watchCpu } from './processes.ts'

// Asks a server with wrk or h2load and reads what they print.

export interface Sample {
  /** CPU microseconds of the server per request. */
  readonly cpu: number
  readonly perSecond: number
  /** Microseconds within which half of the answers came, and 99 of 100. */
  readonly median: number
  readonly p99: number
  /** Share of the requests that reached the origin; absent where all is held. */
  readonly missed?: number
}

/** A script for wrk that asks for the paths in a file, each once, and then stops. */
const SCRIPT = `local paths, at, answered = {}, 0, 0
function init(args)
  for line in io.lines(args[1]) do paths[#paths + 1] = line end
end
function request()
  at = at % #paths + 1
  return wrk.format("GET", paths[at])
end
function response(status)
  if status ~= 200 then print("Non-2xx: " .. status) end
  answered = answered + 1
  if answered < #paths then return end
  io.write("all answered\\n")
  io.flush()
  wrk.thread:stop()
end
`
/** wrk sleeps until its time is over; it is woken when the script has said so. */
const DONE = 'all answered'

/** Whoever asks for this: wrk, where no rate and no HTTP/2 is wanted. */
export const clientFor = (asked: Case): string => (asked.kind === 'repeated' && (asked.over === 'HTTP/2' || asked.rate !== undefined) ? 'h2load' : 'wrk')

/** @param port of plain HTTP */
export async function askRepeatedly(server: Running, port: number, asked: Repeated, seconds: number, folder: string): Promise<Sample> {
  const log = join(folder, 'requests')
  return clientFor(asked) === 'wrk' ? measure(server, 'wrk', wrkWords(port, asked, [`-d${seconds}s`]), readWrk, asked.field === undefined) : measure(server, 'h2load', h2loadWords(port, asked, seconds, log), readH2load(log), true)
}

/** Asks for so many objects, one after the other. @param missed how many requests reached the origin since it was asked last */
export async function askDrawn(server: Running, port: number, asked: Drawn, draw: () => number, count: number, folder: string, missed: () => number): Promise<Sample> {
  const [script, list] = [join(folder, 'paths.lua'), join(folder, 'paths')]
  writeFileSync(script, SCRIPT)
  writeFileSync(list, Array.from({ length: count }, () => `/${asked.size}/${draw().toString(36)}\n`).join(''))
  missed()
  const sample = await measure(server, 'wrk', wrkWords(port, asked, ['-d120s', '-s', script], ['--', list]), readWrk, true)
  return { ...sample, missed: missed() / count }
}

interface Told {
  readonly requests: number
  readonly perSecond: number
  readonly median: number
  readonly p99: number
}

async function measure(server: Running, client: string, words: readonly string[], read: (printed: string) => Told | undefined, isStrict: boolean): Promise<Sample> {
  const used = watchCpu(server.pids.flatMap(familyOf))
  const { child, said } = start(findProgram(client)!, words)
  child.stdout!.on('data', () => said().includes(DONE) && child.kill('SIGINT'))
  await new Promise((resolve) => child.on('close', resolve))
  const cpu = used()
  const printed = said()
  const trouble = /.*(Non-2xx|Socket errors|[1-9]\d* (?:failed|errored|timeout)).*/.exec(printed)
  if (trouble !== null && isStrict) throw new Error(trouble[0].trim())
  const told = read(printed)
  if (told === undefined || !(told.requests > 0)) throw new Error(`${client}: ${printed.trim().split('\n').at(-1) ?? ''}${server.said()}`)
  return { cpu: cpu / told.requests, perSecond: told.perSecond, median: told.median, p99: told.p99 }
}

function wrkWords(port: number, asked: Case, more: readonly string[], last: readonly string[] = []): string[] {
  const field = asked.kind === 'repeated' ? asked.field : undefined
  const url = asked.over === 'TLS' ? `https://127.0.0.1:${port + TLS_PORTS}` : `http://127.0.0.1:${port}`
  return ['-t1', `-c${asked.clients}`, '--latency', '-H', `Host: ${HOST}`, ...(field === undefined ? [] : ['-H', field]), ...more, `${url}/${asked.size}`, ...last]
}

const MICROSECONDS: Readonly<Record<string, number>> = { us: 1, ms: 1000, s: 1e6 }

function readWrk(printed: string): Told | undefined {
  const within = (percent: number): number => {
    const [, figure = 'NaN', unit = 'us'] = new RegExp(`^\\s+${percent}%\\s+([\\d.]+)(us|ms|s)`, 'm').exec(printed) ?? []
    return Number(figure) * MICROSECONDS[unit]!
  }
  return { requests: Number(/(\d+) requests in/.exec(printed)?.[1]), perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(printed)?.[1]), median: within(50), p99: within(99) }
}

function h2loadWords(port: number, { size, over, clients, rate }: Repeated, seconds: number, log: string): string[] {
  const address = over === 'HTTP/2' ? `https://127.0.0.1:${port + TLS_PORTS}` : `http://127.0.0.1:${port}`
  const span = rate === undefined ? [`-D${seconds}`] : [`-n${rate * seconds}`, `--rps=${rate / clients}`]
  return ['-t1', `-c${clients}`, `--log-file=${log}`, ...span, ...(over === 'HTTP/2' ? [`-m${STREAMS}`] : ['--h1']), '-H', `:authority: ${HOST}`, `${address}/${size}`]
}

/** h2load prints no percentiles: they are those of its log. */
const readH2load = (log: string) => (printed: string): Told | undefined => {
  const took = Float64Array.from(readFileSync(log, 'latin1').trimEnd().split('\n'), (line) => Number(line.split('\t')[2])).sort()
  const within = (share: number): number => took[Math.min(took.length - 1, Math.floor(took.length * share))]!
  return { requests: Number(/(\d+) succeeded/.exec(printed)?.[1]), perSecond: Number(/([\d.]+) req\/s/.exec(printed)?.[1]), median: within(0.5), p99: within(0.99) }
}
