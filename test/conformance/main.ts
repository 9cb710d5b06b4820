import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { systemClock } from '../../core/clock.ts'
import { configOf, startEdge, startMember } from '../edge/workers.ts'
import { readToolOptions } from '../helpers/tool.ts'
import { newer } from './newer.ts'

// Plays the public conformance suite of HTTP caches (http-cache-tests) through one edge, or with `--tiers` through edge, regional
// and shield, with `--workers N` through an edge of several workers, and holds the outcome against exceptions.txt: a failure that stands not there, and an exception that is none, fail.
// What newer versions of it ask beyond that follows, from newer.ts, counted apart.
// With `--only ID` one test is played and what was said is printed; with `--tests FILE` those of another definition are.

interface SuiteTest {
  readonly id: string
  readonly name: string
  readonly kind?: 'required' | 'optimal' | 'check'
  readonly depends_on?: readonly string[]
  readonly browser_only?: boolean
  dump?: boolean
}

interface Suite {
  readonly tests: SuiteTest[]
}

type Outcome = true | readonly [kind: string, message: string]
type Fetch = (url: string, init?: { headers?: string[][]; timeout?: number }) => Promise<unknown>
type Handler = (path: string[], request: IncomingMessage, response: ServerResponse) => void

const options = readToolOptions('conformance', 'the public suite of HTTP caches through an edge of ours, held against test/conformance/exceptions.txt', {
  tiers: { about: 'through edge, regional and shield' },
  workers: { value: 'N', about: 'through an edge of so many workers (1)' },
  only: { value: 'ID', about: 'one test, and what was said' },
  tests: { value: 'FILE', about: 'another definition of tests' },
  again: { about: 'ten at once rather than a hundred, and no second try' }
})

/** Tests are played a hundred at once. Where that was too much for the machine, so that answers aged on their way, all are played again, ten at once. */
const isSecond = options.again !== undefined

const folder = fileURLToPath(new URL('../../../test/conformance/', import.meta.url))
const suite = join(folder, 'node_modules/http-cache-tests')
const HOST = 'd1.nearcast.test'
/** A request that is not answered within this fails its test, instead of holding up all. */
const ANSWER_MS = 8_000

const load = async <T>(path: string): Promise<T> => (await import(pathToFileURL(path).href)) as T

async function startOrigin(): Promise<number> {
  const handlers: Record<string, Handler> = {}
  for (const name of ['config', 'state', 'test']) handlers[name] = (await load<{ default: Handler }>(join(suite, `server/handle-${name}.mjs`))).default
  const server = createServer((request, response) => {
    const [, dispatch, ...rest] = new URL(request.url!, 'http://origin.test').pathname.split('/')
    const handler = handlers[dispatch!]
    if (handler === undefined) response.writeHead(404).end()
    else handler(rest, request, response)
  })
  return portOf(server)
}

async function portOf(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await portOf(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Starts what stands between the client and the origin; returns where the client asks. */
async function startCache(origin: number, tiers: boolean): Promise<string> {
  const above = { regionals: { apac: { address: '127.20.1.1', shield: 'tokyo' } }, shields: { tokyo: { address: '127.20.2.1' } } }
  const workers = Number(options.workers ?? 1)
  const config = configOf({
    edges: { icn: { address: '127.0.0.1', city: 'Seoul', at: [37, 126], workers, ...(tiers ? { parent: 'apac' } : {}) } },
    ...(tiers ? above : {}),
    origins: { main: { url: `http://127.0.0.1:${origin}` } },
    distributions: { d1: { behaviours: [{ path: '/*', origin: 'main' }] } }
  })
  const port = await freePort()
  if (tiers) {
    await startMember({ role: 'shield', name: 'tokyo', config, port, clock: systemClock })
    await startMember({ role: 'regional', name: 'apac', config, port, clock: systemClock })
  }
  if (workers > 1) await startEdge({ name: 'icn', config, port })
  else await startMember({ role: 'edge', name: 'icn', config, port, clock: systemClock })
  return `http://127.0.0.1:${port}`
}

async function readTests(): Promise<Suite[]> {
  const { default: suites } = await load<{ default: Suite[] }>(options.tests ?? join(suite, 'tests/index.mjs'))
  return suites
}

async function play(suites: Suite[], cache: string, origin: number): Promise<Record<string, Outcome>> {
  const { default: fetch } = await load<{ default: Fetch }>(join(folder, 'node_modules/node-fetch/lib/index.mjs'))
  const { runTests, getResults } = await load<{ runTests(suites: Suite[], fetch: Fetch, browser: boolean, base: string, chunk: number): Promise<void>; getResults(): Record<string, Outcome> }>(join(suite, 'client/runner.mjs'))
  // The suite tells its origin what to answer by the same way as it asks; that is no business of the cache.
  const ask: Fetch = (url, init = {}) => {
    const path = new URL(url).pathname
    if (!path.startsWith('/test/')) return fetch(url.replace(cache, `http://127.0.0.1:${origin}`), init)
    return fetch(url, { ...init, timeout: ANSWER_MS, headers: [...(init.headers ?? []), ['Host', HOST]] })
  }
  await runTests(suites, ask, false, cache, isSecond ? 10 : 100)
  return getResults()
}

/** `id: because`, a line each. */
function readExceptions(): Map<string, string> {
  const lines = readFileSync(join(folder, 'exceptions.txt'), 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]))
}

function report(title: string, tests: readonly SuiteTest[], outcomes: Record<string, Outcome>, exceptions: ReadonlyMap<string, string>): number {
  const passes = (test: SuiteTest): boolean => outcomes[test.id] === true && (test.depends_on ?? []).every((id) => outcomes[id] === true)
  let wrong = 0
  for (const kind of ['required', 'optimal'] as const) {
    const those = tests.filter((test) => (test.kind ?? 'required') === kind)
    const failed = those.filter((test) => !passes(test))
    process.stdout.write(`${title}${kind} ${those.length - failed.length} of ${those.length}\n`)
    for (const { id } of failed.filter((test) => !exceptions.has(test.id))) {
      const outcome = outcomes[id]
      process.stdout.write(`  ${id}: ${outcome === true ? 'rests on a test that fails' : outcome === undefined ? 'not played' : outcome.join(': ')}\n`)
      wrong++
    }
  }
  const known = new Map(tests.map((test) => [test.id, test]))
  for (const id of exceptions.keys()) {
    const test = known.get(id)
    if (test !== undefined && !passes(test)) continue
    process.stdout.write(`  ${id} stands in exceptions.txt but ${test === undefined ? 'is no test' : 'passes'}\n`)
    wrong++
  }
  return wrong
}

if (!existsSync(suite)) {
  process.stdout.write('conformance: fetching the suite (npm ci in test/conformance)\n')
  const install = spawnSync('npm', ['ci'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  if (install.status !== 0) process.exit(1)
}
const { only } = options
const published = options.tests === undefined
const suites = [...(await readTests()), ...(published ? [newer as unknown as Suite] : [])].map(({ tests }) => ({ tests: tests.filter((test) => test.browser_only !== true && (only === undefined || test.id === only)) }))
const tests = suites.flatMap((suite) => suite.tests)
if (only !== undefined) for (const test of tests) test.dump = true
const origin = await startOrigin()
const outcomes = await play(suites, await startCache(origin, options.tiers !== undefined), origin)
if (only === undefined) {
  const added = new Set(published ? newer.tests.map(({ id }) => id) : [])
  const wrong = report('', tests.filter(({ id }) => !added.has(id)), outcomes, readExceptions()) + report('newer: ', tests.filter(({ id }) => added.has(id)), outcomes, new Map())
  if (wrong === 0) process.exit(0)
  if (isSecond) process.exit(1)
  process.stdout.write('played again, with less at once:\n')
  process.exit(spawnSync(process.execPath, [...process.argv.slice(1), '--again'], { stdio: 'inherit' }).status ?? 1)
}
process.stdout.write(`${JSON.stringify(outcomes)}\n`)
process.exit(0)
