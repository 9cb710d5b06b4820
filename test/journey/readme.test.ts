import { execFile, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { missingLine, shownCommands } from '../repo/console.ts'
import { root, until } from './fleet.ts'

// The README, typed from top to bottom, then the page on steering: every command shown, on a fleet of its own, prints what is shown.

t.setTimeout(480_000)
const PORTS = { dns: 16_301, http: 16_311, https: 16_331, admin: 16_321 }
const folder = mkdtempSync(join(tmpdir(), 'nearcast-readme-'))
for (const name of ['zones', 'nearcast.yaml', 'docs/steering']) cpSync(join(root, name), join(folder, name), { recursive: true })

/** A command of the page as it is typed here: same words, other ports. */
function typed(command: string): string {
  return command
    .replaceAll('dig @localhost', `dig @127.0.0.1 -p ${PORTS.dns}`)
    .replaceAll(':8080', `:${PORTS.http}`)
    .replaceAll(':8443', `:${PORTS.https}`)
    .replaceAll('npx nearcast', `'${process.execPath}' '${join(root, 'bin/nearcast.js')}'`)
}

function run(command: string): Promise<string> {
  return new Promise((resolve) => {
    execFile('sh', ['-c', typed(command)], { cwd: folder, timeout: 110_000 }, (_, out, err) => resolve(out + err))
  })
}

const steering = 'docs/steering.md'
const read = (page: string): string => readFileSync(join(root, page), 'utf8')
const [start, ...first] = shownCommands(read('README.md')).map((shown) => ({ ...shown, page: 'README.md' }))
const typedAlready = new Set(first.map(({ command }) => command))
const commands = [...first, ...shownCommands(read(steering)).flatMap((shown) => (typedAlready.has(shown.command) ? [] : { ...shown, page: steering }))]
const options = ['--port', String(PORTS.dns), '--http-port', String(PORTS.http), '--https-port', String(PORTS.https), '--admin-port', String(PORTS.admin)]
const fleet = spawn(process.execPath, [join(root, 'bin/nearcast.js'), 'up', ...options], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
let printed = ''
for (const stream of [fleet.stdout, fleet.stderr]) stream.setEncoding('utf8').on('data', (piece: string) => (printed += piece))
// Also when the test bails out, which no teardown sees.
process.on('exit', () => fleet.kill('SIGKILL'))
t.teardown(async () => {
  const ended = new Promise((resolve) => fleet.once('exit', resolve))
  fleet.kill('SIGTERM')
  if (fleet.exitCode === null) await ended
  rmSync(folder, { recursive: true, force: true })
})

t.test('npm start', { bail: true, timeout: 400_000 }, async (t) => {
  t.equal(start?.command, 'npm ci && npm start')
  // It tells how to call the programs from this folder and on these ports.
  const output = start!.output.map((line) => line.replace('dig @localhost', 'dig …').replace('npx nearcast', '…'))
  // On a busy machine it says first that not all are ready, and then all of it.
  await until('the start-up text', 90_000, () => missingLine(output, printed) === undefined || fleet.exitCode !== null).catch(() => undefined)
  const missing = missingLine(output, printed)
  if (missing !== undefined) t.comment(printed)
  t.equal(missing, undefined, 'it prints what the README shows')
})

for (const { command, output, line, page } of commands) {
  t.test(`${page}:${line}: ${command}`, { timeout: 400_000 }, async (t) => {
    // An edit is answered within a second; a reader is slower than this loop.
    let actual = ''
    const isShown = async (): Promise<boolean> => missingLine(output, (actual = await run(command))) === undefined
    const patient = /^(dig|npx nearcast (status|explain))/.test(command)
    await until('the output shown', patient ? 60_000 : 0, isShown).catch(() => undefined)
    const missing = missingLine(output, actual)
    if (missing !== undefined) t.comment(actual)
    t.equal(missing, undefined, 'it prints what the page shows')
  })
}

t.test('the policies that both pages show are those of docs/steering/policies.yaml', async (t) => {
  const { policies, networks } = parse(read('docs/steering/policies.yaml')) as { policies: Record<string, unknown>; networks: unknown }
  const chapter = /^## Steer$.*?(?=^## )/ms.exec(read('README.md'))![0]
  const inline = [...chapter.matchAll(/`(\w+: \{ .+? \})`$/gm)].map(([, text]) => text!)
  const blocks = [...read(steering).matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text]) => text!)
  t.ok(inline.length >= 8 && blocks.length >= 8, `${inline.length} and ${blocks.length} of them`)
  for (const text of [...inline, ...blocks]) {
    for (const [name, shown] of Object.entries(parse(text) as Record<string, unknown>)) t.same(shown, name === 'networks' ? networks : policies[name], name)
  }
})
