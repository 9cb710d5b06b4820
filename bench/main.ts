import { parseArgs } from 'node:util'
import { suggestion } from '../core/suggest.ts'
import { benchDns } from './dns.ts'
import { benchEdge } from './edge.ts'

// npm run bench -- NAME [options]: measures on this machine, beside whichever peers are installed. One row a bench.

interface Bench {
  readonly about: string
  run(options: BenchOptions): Promise<void>
}

export interface BenchOptions {
  readonly rounds: number
  readonly seconds: number
  /** Operations per second that are offered; absent: what the bench thinks right. */
  readonly rate?: number
  /** Workers of each server; absent: one, and two where that says something. */
  readonly threads?: number
  /** Leave out everything but these, by name; empty: everything. */
  readonly only: readonly string[]
}

const benches: Readonly<Record<string, Bench>> = {
  dns: { about: 'CPU per query over UDP and TCP and the largest load, beside Knot, NSD, gdnsd, BIND, PowerDNS and a responder in C that parses nothing', run: benchDns },
  edge: { about: 'CPU per hit over HTTP, beside nginx and varnish', run: benchEdge }
}

const usage = (): string =>
  [
    'npm run bench -- NAME [--rounds 5] [--seconds 1] [--rate N] [--threads N] [--only PART]…',
    ...Object.entries(benches).map(([name, { about }]) => `  ${name.padEnd(6)} ${about}`)
  ].join('\n')

/** Reads a whole number above zero, or ends with a line that says what was expected. */
function count(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`--${name} ${text}: expected a whole number above zero`)
  return Number(text)
}

/** Reads seconds, whole or not. */
function duration(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,4}(\.\d+)?$/.test(text) || Number(text) === 0) throw new Error(`--seconds ${text}: expected a number above zero`)
  return Number(text)
}

try {
  const string = { type: 'string' } as const
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { rounds: string, seconds: string, rate: string, threads: string, only: { type: 'string', multiple: true }, help: { type: 'boolean' } } })
  const [name] = positionals
  if (name === undefined || values.help === true) {
    process.stdout.write(`${usage()}\n`)
  } else {
    const bench = benches[name]
    if (bench === undefined) throw new Error(`there is no bench ${name}; ${suggestion(name, Object.keys(benches)) ?? `there are ${Object.keys(benches).join(', ')}`}`)
    const rate = count('rate', values.rate)
    const threads = count('threads', values.threads)
    await bench.run({ rounds: count('rounds', values.rounds) ?? 5, seconds: duration(values.seconds) ?? 1, ...(rate !== undefined && { rate }), ...(threads !== undefined && { threads }), only: values.only ?? [] })
  }
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 2
}
