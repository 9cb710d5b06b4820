import { parseArgs } from 'node:util'
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/trouble.ts'
import { suggestion } from '../core/suggest.ts'
import { benchAttacks } from './attacks.ts'
import { benchBurst } from './burst.ts'
import { benchDns } from './dns.ts'
import { benchEdge } from './edge.ts'
import { benchHostile } from './hostile.ts'
import { benchLoad } from './load.ts'
import { benchOffload } from './offload.ts'
import type { BenchOptions } from './options.ts'
import { benchPaths } from './paths.ts'
import { benchPlaces } from './places.ts'
import { benchReload } from './reload.ts'
import { benchSteering } from './steering.ts'
import { benchStore } from './store.ts'
import { benchTraces } from './traces.ts'
import { benchWorkers } from './workers.ts'

// npm run bench -- NAME [options]: measures on this machine, beside whichever peers are installed. One row a bench.
// What is run whole, without --only and --threads, replaces its files in bench/results.

interface Bench {
  readonly about: string
  run(options: BenchOptions): Promise<void>
}

const benches: Readonly<Record<string, Bench>> = {
  dns: { about: 'CPU per query over UDP and TCP and the largest load, beside Knot, NSD, gdnsd, BIND, PowerDNS and a responder in C that parses nothing', run: benchDns },
  load: { about: 'start to first answer, CPU and memory with 1,000,000 records, beside Knot, NSD, gdnsd, BIND and PowerDNS; 100,000 small zones', run: benchLoad },
  reload: { about: 'queries lost while zones, policies and keys are read again under full load, beside Knot, NSD, gdnsd and BIND', run: benchReload },
  steering: { about: 'a steered answer beside a static one, beside Knot, gdnsd and PowerDNS; 100,000 routed names: loading them, and a change of health', run: benchSteering },
  places: { about: 'databases of places: the time to bring them, and from disk, and their memory (--city FILE)', run: benchPlaces },
  paths: { about: 'reading the AS paths of a full table from BIRD: time, CPU, memory', run: benchPaths },
  edge: { about: 'CPU per request over HTTP, hits and misses, and a cold burst, beside nginx, Varnish and Traffic Server', run: benchEdge },
  workers: { about: 'an edge of 1, 2 and 4 workers: requests a second and CPU per request, beside nginx with 1 and 2', run: benchWorkers },
  store: { about: 'memory for each response held beside its body and head, and the time to put and to get', run: benchStore },
  traces: { about: 'what each order of eviction misses of public traces (--traces FOLDER) and of made ones, beside Belady', run: benchTraces },
  burst: { about: 'a thousand clients for one object that nobody holds: fetches and first octets, beside nginx, Varnish and Traffic Server', run: benchBurst },
  offload: { about: 'a day of viewers in many places, compressed, with every cache as a process: hit ratios of edges, regionals and shields, and what reaches the origin', run: benchOffload },
  hostile: { about: 'CPU per packet of what nobody should send, beside a good query', run: benchHostile },
  attacks: { about: 'floods and what becomes of clients meanwhile, with and without limits, beside Knot and NSD', run: benchAttacks }
}

const ALL = 'all'

const usage = (): string =>
  [
    'npm run bench -- NAME [--rounds 5] [--seconds 1] [--rate N] [--threads N] [--only PART]… [--traces FOLDER] [--city FILE]',
    ...Object.entries(benches).map(([name, { about }]) => `  ${name.padEnd(8)} ${about}`),
    `  ${ALL.padEnd(8)} all of them`
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
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { rounds: string, seconds: string, rate: string, threads: string, traces: string, city: string, only: { type: 'string', multiple: true }, help: { type: 'boolean' } } })
  const [name] = positionals
  if (name === undefined || values.help === true) {
    process.stdout.write(`${usage()}\n`)
  } else {
    const bench = benches[name]
    if (bench === undefined && name !== ALL) throw new Error(`there is no bench ${name}; ${suggestion(name, Object.keys(benches)) ?? `there are ${Object.keys(benches).join(', ')}`}`)
    const rate = count('rate', values.rate)
    const threads = count('threads', values.threads)
    const options = { rounds: count('rounds', values.rounds) ?? 5, seconds: duration(values.seconds) ?? 1, ...(rate !== undefined && { rate }), ...(threads !== undefined && { threads }), only: values.only ?? [], ...(values.traces !== undefined && { traces: values.traces }), ...(values.city !== undefined && { city: values.city }) }
    if (bench === undefined) await runAll(options)
    else await bench.run(options)
  }
} catch (error) {
  process.stderr.write(`bench: ${messageOf(error)}\n`)
  process.exitCode = 2
}

/** One after the other; one that fails does not hold up the others. */
async function runAll(options: BenchOptions): Promise<void> {
  for (const [name, bench] of Object.entries(benches)) {
    const from = systemClock.elapsed()
    process.stdout.write(`\n== ${name}: ${bench.about}\n`)
    try {
      await bench.run(options)
    } catch (error) {
      process.stderr.write(`bench: ${name}: ${messageOf(error)}\n`)
      process.exitCode = 1
    }
    process.stdout.write(`== ${name}: ${Math.round((systemClock.elapsed() - from) / 1000)} s\n`)
  }
}
