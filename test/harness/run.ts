import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

// Asks Knot DNS, NSD, BIND and Nearcast the same questions, by the harness that stands beside the checkout, and holds what
// differs against explained.tsv. `npm run harness`; another place of the harness and another first port may be given as arguments.

const root = fileURLToPath(new URL('../../../', import.meta.url))
const harness = resolve(root, process.argv[2] ?? '../shared/dns-harness')
const PEERS = ['python3', 'knotd', 'nsd', 'named', 'kzonecheck', 'nsd-checkzone', 'named-checkzone']
const BASE_PORT = Number(process.argv[3] ?? 5410)
const PORT = BASE_PORT + 9
/** What the harness signs with: see its README. */
const KEYS = 'key "harness-key" { algorithm hmac-sha256; secret "cOwD1f3fHz3rJ3pZ9l0N2k1m4u5v6w7x8y9zAbCdEfg="; };\n'

/** One way in which Nearcast is unlike all of its peers. */
interface Difference {
  readonly part: string
  readonly what: string
}

const different = (part: string) => (what: string): Difference => ({ part, what })

/** A part of the harness: its output and what of it is a difference. */
function python(...words: string[]): string {
  const { stdout, stderr, error, status } = spawnSync('python3', words, {
    cwd: harness,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PATH: `${process.env['PATH']}:/usr/sbin` }
  })
  if (error !== undefined) throw error
  if (status === 0 || stdout !== '') return stdout
  throw new Error(`${words.join(' ')}: ${stderr.slice(-2000)}`)
}

/** The checker's verdicts on valid and invalid zone files. */
function zones(): Difference[] {
  const text = python('check_zones.py', '--cmd', `${process.execPath} ${join(root, 'bin/nearcast.js')} check --zone {origin} {file}`)
  process.stdout.write(`zones: ${/invalid: .*/.exec(text)?.[0] ?? ''}\n`)
  const problems = text.split('== SUT problems\n')[1] ?? ''
  return problems.split('\n').filter((line) => line.trim() !== '').map((line) => line.trim()).map(different('zones'))
}

interface Answered {
  readonly outcome: string
  readonly rcode?: string
  readonly kind?: string
  readonly tc?: number
}

type Line = { readonly q: { readonly tag: string }; readonly proto: string; readonly sut: Answered } & (
  | { readonly class: 'hard'; readonly peers: Answered }
  | { readonly class: 'soft'; readonly peers: Readonly<Record<string, Answered>> }
)

function summary({ outcome, rcode, kind, tc }: Answered): string {
  return outcome === 'answer' ? `${rcode} ${kind}${tc === 1 ? ' tc' : ''}` : outcome
}

function describe(line: Line): string {
  const peers = line.class === 'hard' ? summary(line.peers) : Object.entries(line.peers).sort(([a], [b]) => (a < b ? -1 : 1)).map(([peer, answer]) => `${peer} ${summary(answer)}`).join(', ')
  return `${line.q.tag} ${line.proto}: ${peers} -> ${summary(line.sut)}`
}

/** Totals of a report that ought to be zero. */
const NOT_ONE = ['TTL', 'GLUE', 'ANY EXCESS', 'ABORTED', 'zones not served by SUT']

/** Every name and type of every zone, asked of all servers. */
function answers(folder: string, work: string): Difference[] {
  const report = join(work, 'report.txt')
  const lines = join(work, 'differences.jsonl')
  // ANY over UDP has one made-up record, with a TTL of its own: TTLs are compared over TCP.
  const found = [['--proto', 'udp'], ['--proto', 'tcp', '--ttl']].flatMap((words) => {
    rmSync(report, { force: true })
    const said = python('diff.py', '--zones', folder, '--sut', `127.0.0.1:${PORT}`, '--work', join(work, 'peers'), '--base-port', String(BASE_PORT), '--out', report, '--json', lines, ...words)
    if (!existsSync(report)) throw new Error(`diff.py wrote no report: ${said.slice(-2000)}`)
    const text = readFileSync(report, 'utf8')
    const totals = text.split('== ')[1]!.split('\n').map((line) => line.trim().replace(/ +/g, ' '))
    process.stdout.write(`answers ${words.join(' ')}: ${totals.find((line) => line.startsWith('asked'))}, ${totals.find((line) => line.startsWith('HARD')) ?? 'HARD 0'}\n`)
    const lint = /== SUT lint\n([^]*?)(?:\n==|$)/.exec(text)?.[1]?.split('\n') ?? []
    return [
      ...readFileSync(lines, 'utf8').split('\n').filter((line) => line !== '').map((line) => describe(JSON.parse(line) as Line)),
      ...totals.filter((line) => NOT_ONE.some((name) => line.startsWith(`${name} `))),
      ...lint.map((line) => `lint: ${line.trim().replace(/^\d+\s+/, '')}`)
    ]
  })
  return [...new Set(found)].map(different('answers'))
}

/** Malformed and unusual packets. */
function packets(): Difference[] {
  const text = python('wire.py', 'run', '--sut', `127.0.0.1:${PORT}`)
  process.stdout.write(`packets: ${text.trim().split('\n').at(-1)}\n`)
  return [...text.matchAll(/^(?:HARD|DIFF|DEAD) +(\S+)/gm)].map(([, name]) => name!).map(different('packets'))
}

/** Clients that are slow, idle, or very many. */
function slow(): Difference[] {
  const text = python('wire.py', 'slow', '--sut', `127.0.0.1:${PORT}`)
  const wanted = [/idle connections: udp answers/, /after they are gone: tcp answers/, /meanwhile: 0 failed/, /alive: True/]
  process.stdout.write(`slow clients: ${/normal queries meanwhile: .*/.exec(text)?.[0]}\n`)
  const open = text.split('\n').filter((line) => line.includes('still open after')).map((line) => line.trim().replace(/ +/g, ' '))
  return [...wanted.filter((pattern) => !pattern.test(text)).map((pattern) => `not so: ${pattern.source}`), ...open].map(different('slow'))
}

async function serve(folder: string, work: string): Promise<ChildProcess> {
  // Its log goes to a file: a pipe that nobody reads meanwhile would fill up.
  const log = join(work, 'nearcast.log')
  const keys = join(work, 'harness.keys')
  writeFileSync(keys, KEYS)
  const child = spawn(process.execPath, [join(root, 'bin/nearcast.js'), 'dns', '--zones', folder, '--port', String(PORT), '--listen', '127.0.0.1', '--lab', '--tsig-keys', keys], { stdio: ['ignore', 'pipe', openSync(log, 'w')] })
  const ready = once(child.stdout!, 'data').then(([chunk]) => process.stdout.write(chunk as Buffer))
  const ended = once(child, 'exit').then(() => Promise.reject(new Error(`nearcast dns ended: ${readFileSync(log, 'utf8').slice(-2000)}`)))
  ended.catch(() => undefined)
  await Promise.race([ready, ended])
  return child
}

interface Explained extends Difference {
  readonly pattern: RegExp
}

function readExplained(): Explained[] {
  const lines = readFileSync(join(root, 'test/harness/explained.tsv'), 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return lines.map((line) => {
    const [part, what, rfc, reason] = line.split('\t')
    if (part === undefined || what === undefined || rfc === undefined || reason === undefined) throw new Error(`explained.tsv: expected four columns: ${line}`)
    const pattern = new RegExp(`^${what.split('*').map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`)
    return { part, what, pattern }
  })
}

/** A copy that every peer may write beside: BIND wants that. */
function copyZones(to: string): string {
  cpSync(join(harness, 'zones/valid'), to, { recursive: true })
  for (const path of [to, ...readdirSync(to).map((name) => join(to, name))]) chmodSync(path, 0o755)
  return to
}

/** What keeps the harness from running here; undefined when nothing does. */
function missing(): string | undefined {
  if (!existsSync(join(harness, 'diff.py'))) return 'it does not stand beside the checkout'
  const absent = PEERS.filter((name) => spawnSync('sh', ['-c', `PATH="$PATH:/usr/sbin" command -v ${name}`]).status !== 0)
  return absent.length > 0 ? `${absent.join(', ')} not installed` : undefined
}

async function run(): Promise<number> {
  const work = mkdtempSync(join(tmpdir(), 'nearcast-harness-'))
  chmodSync(work, 0o755)
  const folder = copyZones(join(work, 'zones'))
  let server: ChildProcess | undefined
  try {
    server = await serve(folder, work)
    const found = [...zones(), ...answers(folder, work), ...packets(), ...slow()]
    const explained = readExplained()
    const fits = (line: Explained, { part, what }: Difference): boolean => line.part === part && line.pattern.test(what)
    const unexplained = found.filter((each) => !explained.some((line) => fits(line, each)))
    const idle = explained.filter((line) => !found.some((each) => fits(line, each)))
    for (const { part, what } of unexplained) process.stdout.write(`unexplained: ${part}\t${what}\n`)
    for (const { part, what } of idle) process.stdout.write(`explained, but no difference any more: ${part}\t${what}\n`)
    process.stdout.write(`${found.length} differences, ${unexplained.length} unexplained\n`)
    return unexplained.length + idle.length > 0 ? 1 : 0
  } finally {
    server?.kill('SIGTERM')
    rmSync(work, { recursive: true, force: true })
  }
}

const reason = missing()
if (reason !== undefined) process.stdout.write(`harness: skipped, ${reason}\n`)
else process.exitCode = await run()
