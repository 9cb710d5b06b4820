import { execFile, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { missingLine, shownCommands } from '../repo/console.ts'
import { root, until } from './fleet.ts'

// The README, typed from top to bottom: every command it shows, on a fleet of its own, prints what it shows.

t.setTimeout(240_000)
const PORTS = { dns: 16_301, http: 16_311, admin: 16_321 }
const folder = mkdtempSync(join(tmpdir(), 'nearcast-readme-'))
for (const name of ['zones', 'nearcast.yaml']) cpSync(join(root, name), join(folder, name), { recursive: true })

/** A command of the page as it is typed here: same words, other ports. */
function typed(command: string): string {
  return command
    .replaceAll('dig @localhost', `dig @127.0.0.1 -p ${PORTS.dns}`)
    .replaceAll(':8080', `:${PORTS.http}`)
    .replaceAll('npx nearcast', `'${process.execPath}' '${join(root, 'bin/nearcast.js')}'`)
}

function run(command: string): Promise<string> {
  return new Promise((resolve) => {
    execFile('sh', ['-c', typed(command)], { cwd: folder, timeout: 110_000 }, (_, out, err) => resolve(out + err))
  })
}

const page = readFileSync(join(root, 'README.md'), 'utf8')
const [start, ...commands] = shownCommands(page)
const options = ['--port', String(PORTS.dns), '--http-port', String(PORTS.http), '--admin-port', String(PORTS.admin)]
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

t.test('npm start', { bail: true, timeout: 60_000 }, async (t) => {
  t.equal(start?.command, 'npm ci && npm start')
  await until('the start-up text', 30_000, () => printed.includes('Ctrl-C ends everything') || fleet.exitCode !== null)
  // It tells how to call the programs from this folder and on these ports.
  const output = start!.output.map((line) => line.replace('dig @localhost', 'dig …').replace('npx nearcast', '…'))
  const missing = missingLine(output, printed)
  if (missing !== undefined) t.comment(printed)
  t.equal(missing, undefined, 'it prints what the README shows')
})

for (const { command, output, line } of commands) {
  t.test(`README.md:${line}: ${command}`, { timeout: 120_000 }, async (t) => {
    // An edit is answered within a second; a reader is slower than this loop.
    let actual = ''
    const isShown = async (): Promise<boolean> => missingLine(output, (actual = await run(command))) === undefined
    const patient = /^(dig|npx nearcast (status|explain))/.test(command)
    await until('the output shown', patient ? 5000 : 0, isShown).catch(() => undefined)
    const missing = missingLine(output, actual)
    if (missing !== undefined) t.comment(actual)
    t.equal(missing, undefined, 'it prints what the README shows')
  })
}
