import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Io } from '../../cli/command.ts'
import { loadCommands } from '../../cli/commands.ts'
import { main } from '../../cli/main.ts'
import { packageRoot } from '../../cli/folders.ts'
import { popLines } from '../../cli/pops.ts'
import { statusLines } from '../../cli/status.ts'
import { tableOf } from '../../cli/table.ts'
import type { MemberStatus, PopsStatus, Status } from '../../daemon/control/api.ts'

async function run(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  const said = { out: '', err: '' }
  const io: Io = {
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
    columns: 100,
    colour: false,
    readable: false,
    cwd: packageRoot
  }
  return { status: await main(argv, io), ...said }
}

const member = (name: string, more: Partial<MemberStatus> = {}): MemberStatus => ({
  name,
  role: 'edge',
  city: 'Seoul',
  addresses: ['127.0.10.1'],
  pid: 4711,
  process: 'running',
  processSince: 500_000,
  restarts: 0,
  health: 'UP',
  since: 940_000,
  why: 'passed its first check',
  requestsPerSecond: 12.34,
  hitRatio: 0.937,
  ...more
})

const status: Status = {
  version: '0.1.0',
  startedAt: 400_000,
  listening: ['127.0.0.1:5300/udp'],
  geo: { about: 'test', local: 'KR' },
  names: ['d1.nearcast.test.'],
  routedTtl: 20,
  zones: [{ origin: 'nearcast.test.', serial: 7, records: 10, file: 'zones/nearcast.test.zone', state: 'old' }],
  secondaries: [],
  targets: [],
  reload: { faults: ['zones/nearcast.test.zone:12:9: expected an IPv4 address'] },
  queries: { total: 1234, perSecond: 50, counters: {} },
  members: [
    member('icn', { forced: { state: 'down', why: 'stopped by operator', since: 900_000, until: 1_060_000 }, process: 'stopped', processWhy: 'stopped by operator' }),
    member('nrt', { suspect: true, why: 'x'.repeat(200) }),
    member('daemon', { role: 'daemon', health: undefined, since: undefined, why: undefined, trouble: 'its disk fails', restarts: 2 } as unknown as Partial<MemberStatus>)
  ]
}

/** A state folder as of a running fleet, whose admin API answers with `status` and refuses what it is told to. */
async function pretend(t: Test, replies: Record<string, { status: number; body: unknown }> = {}): Promise<{ state: string; asked: string[] }> {
  const asked: string[] = []
  const server: Server = createServer((request, response) => {
    let body = ''
    request.on('data', (piece: Buffer) => (body += piece.toString()))
    request.on('end', () => {
      const path = request.url!.split('?')[0]!
      asked.push(`${request.method} ${request.url} ${body} ${request.headers.authorization}`)
      const reply = replies[path] ?? { status: 200, body: status }
      response.writeHead(reply.status).end(JSON.stringify(reply.body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const state = t.testdir()
  mkdirSync(state, { recursive: true })
  const { port } = server.address() as AddressInfo
  writeFileSync(join(state, 'fleet.json'), JSON.stringify({ pid: process.pid, startedAt: 400_000, admin: { address: '127.0.0.1', port } }))
  writeFileSync(join(state, 'admin.token'), 'secret\n')
  return { state, asked }
}

t.test('what is mistyped gets one line that says what was expected, and exit status 2', async (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['stpo icn', /there is no command stpo \(did you mean stop\?\)/],
    ['--jsno', /a command was expected before --jsno/],
    ['xyzzy', /there is no command xyzzy \((nearcast --help lists|known: up, status)/],
    ['stop', /stop needs EDGE: nearcast stop EDGE/],
    ['stop icn nrt', /stop does not take "nrt"/],
    ['stop --naw icn', /no option --naw \(did you mean --now\?\)/],
    ['stop icn --now=yes', /--now takes no value/],
    ['stop icn --for soon', /--for soon: expected a duration such as/],
    ['status --jso', /no option --jso \(did you mean --json\?\)/],
    ['status -x', /no option -x/],
    ['up --port', /--port needs a port from 1 to 65535/],
    ['up --port 0', /--port 0: expected a port from 1 to 65535/],
    ['up --port 5300x', /--port 5300x: expected a port/],
    ['up --http-port --json', /--http-port needs a port/],
    ['up nrt', /up does not take "nrt"/],
    ['dns --threads 0', /--threads 0: expected a whole number from 1 to 64/],
    ['dns --listen localhost', /--listen localhost: expected an IPv4 or IPv6 address/],
    ['dns --zones no/such', /--zones: there is no folder .*no\/such/],
    ['explain', /explain needs NAME/],
    ['explain d1.nearcast.test --from 168.126.63', /--from 168\.126\.63: expected an IPv4 or IPv6 address/],
    ['explain d1.nearcast.test --at yesterday', /--at yesterday: expected a time such as/],
    ['explain d1.nearcast.test --at 2999-01-01T00:00Z', /--at 2999-01-01T00:00Z: that time has not come yet/],
    ['explain d1.nearcast.test --at', /--at needs a value/],
    ['explain d1..nearcast.test', /d1\.\.nearcast\.test: /],
    ['explain d1.nearcast.test --type AAAAA', /--type AAAAA: .*did you mean AAAA\?/],
    ['force icn dwon', /dwon is no state to force \(did you mean down\?\)/],
    ['force', /force needs EDGE and STATE: /],
    ['force icn', /force needs STATE: .*--list/],
    ['force icn down --list', /force --list does not take icn/],
    ['force --list --for 1h', /force --list does not take --for/],
    ['completion bsh', /no completion for the shell bsh \(did you mean bash\?\)/],
    ['--verson', /a command was expected before --verson \(did you mean --version\?\)/],
    ['help stats', /there is no command stats \(did you mean status\?\)/]
  ]
  for (const [line, expected] of cases) {
    const { status, out, err } = await run(...line.split(' '))
    t.match({ status, out, err }, { status: 2, out: '', err: expected }, line)
    t.match(err, /^nearcast: [^\n]+\n$/, `one line for ${line}`)
  }
})

t.test('every command explains itself with examples, no line wider than a terminal', async (t) => {
  const overview = await run()
  t.match(await run('--help'), { status: 0, out: overview.out, err: '' })
  for (const command of await loadCommands()) {
    t.match(overview.out, command.summary, `${command.name} is listed`)
    for (const argv of [[command.name, '--help'], [command.name, '-h'], ['help', command.name]]) {
      const { status, out, err } = await run(...argv)
      t.match({ status, err }, { status: 0, err: '' }, argv.join(' '))
      for (const text of ['Usage: nearcast ', 'Examples:', ...command.examples, ...Object.keys(command.options).map((name) => `--${name}`)]) t.ok(out.includes(text), `${argv.join(' ')} shows ${text}`)
      t.same(out.split('\n').filter((line) => line.length > 110), [], `${argv.join(' ')} fits`)
    }
  }
})

t.test('completion knows every command and option, and the shells take it', async (t) => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { status, out } = await run('completion', shell)
    t.equal(status, 0)
    for (const { name, options } of await loadCommands()) {
      t.match(out, new RegExp(`\\b${name}\\b`), `${shell}: ${name}`)
      for (const option of Object.keys(options)) t.ok(out.includes(shell === 'fish' ? `-l ${option}` : `--${option}`), `${shell}: ${name} --${option}`)
    }
  }
  const { out } = await run('completion', 'bash')
  const complete = (...words: string[]): string[] => {
    const script = `${out}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _nearcast '${words[0]}'; printf '%s\\n' "\${COMPREPLY[@]}"`
    return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split('\n')
  }
  t.same(complete('nearcast', 'sta'), ['status', 'start'])
  t.same(complete('nearcast', 'up', '--http'), ['--http-port', '--https-port'].slice(0, 2))
  t.same(complete('nearcast', 'completion', 'f'), ['fish'])
  t.same(complete('nearcast', 'force', 'icn', 'dr'), ['drain'])
  t.same(complete('nearcast', 'explain', 'www.example.org', '--type', 'AAA'), ['AAAA'])
  const fleet = JSON.stringify({ members: ['icn', 'iad', 'daemon'].map((name) => ({ name, role: 'edge' })) }, undefined, 2)
  const program = join(t.testdir({ 'nearcast.js': `#!/bin/sh\ncat <<'END'\n${fleet}\nEND\n` }), 'nearcast.js')
  chmodSync(program, 0o755)
  t.same(complete(program, 'stop', '').slice(-2), ['icn', 'iad'], 'the program that is typed is asked for the members; no verb takes the daemon')
  for (const [shell, flag] of [['zsh', '-n'], ['fish', '--no-execute']] as const) {
    const script = join(program, '..', shell)
    writeFileSync(script, (await run('completion', shell)).out)
    const { error, status, stderr } = spawnSync(shell, [flag, script], { encoding: 'utf8' })
    if (error === undefined) t.match({ status, stderr }, { status: 0, stderr: '' }, `${shell} reads it`)
  }
})

t.test('without a fleet a command says in one line how to start one', async (t) => {
  const state = t.testdir()
  for (const line of ['status', 'stop icn', 'start icn', 'reload', 'force icn down', 'explain d1.nearcast.test']) {
    const { status, out, err } = await run(...line.split(' '), '--state', state)
    t.match({ status, out }, { status: 1, out: '' }, line)
    t.match(err, /^nearcast: no fleet runs on the state folder .* \(nearcast up --state .* starts one\)\n$/, line)
  }
  writeFileSync(join(state, 'fleet.json'), JSON.stringify({ pid: 2 ** 22 + 1, admin: { address: '127.0.0.1', port: 1 } }))
  t.match(await run('status', '--state', state), { status: 1, err: /no fleet runs/ }, 'a fleet that was killed has left its file')
  writeFileSync(join(state, 'fleet.json'), JSON.stringify({ pid: process.pid, admin: { address: '127.0.0.1', port: 1 } }))
  writeFileSync(join(state, 'admin.token'), 'secret')
  t.match(await run('status', '--state', state), { status: 1, err: /^nearcast: the daemon does not answer: it is starting, or being restarted\n$/ })
})

t.test('a state folder of another user is told from one without a fleet', { skip: process.getuid?.() === 0 && 'root may read everything' }, async (t) => {
  const state = t.testdir()
  chmodSync(state, 0)
  t.match(await run('status', '--state', state), { status: 1, out: '', err: /^nearcast: the state folder .* is closed to this user: [^\n]*\n$/ })
  chmodSync(state, 0o700)
})

t.test('commands speak to the fleet of their state folder, with its token', async (t) => {
  const { state, asked } = await pretend(t, {
    '/v1/stop': { status: 200, body: { exitsInMs: 22_000 } },
    '/v1/start': { status: 409, body: { error: 'icn runs already' } },
    '/v1/force': { status: 200, body: { done: true } },
    '/v1/refresh': { status: 200, body: { done: true } },
    '/v1/pin': { status: 200, body: { done: true, names: ['dns4'] } },
    '/v1/reload': { status: 200, body: { zones: status.zones, faults: status.reload.faults } }
  })
  t.match(await run('stop', 'icn', '--for', '10m', '--state', state), { status: 0, out: /^icn is out of the answers; it serves on for 22 s/, err: '' })
  t.equal(asked.at(-1), 'POST /v1/stop {"name":"icn","forMs":600000} Bearer secret')
  t.match(await run('stop', 'icn', '--state', state), { out: new RegExp(`nearcast start icn --state ${state}\\n$`) }, 'the command to type next is for the same fleet')
  t.match(await run('stop', 'icm', '--state', state), { status: 2, out: '', err: 'nearcast: there is no member icm to steer (did you mean icn?)\n' })
  t.match(await run('start', 'icn', '--state', state), { status: 1, out: '', err: 'nearcast: icn runs already\n' })
  t.match(await run('force', 'icn', 'drain', '--why', 'new disks', '--state', state), { status: 0, out: /^icn is out of the answers/ })
  t.equal(asked.at(-1), 'POST /v1/force {"name":"icn","state":"drain","why":"new disks"} Bearer secret')
  t.match(await run('anycast', 'pin', 'dns4', 'withdrawn', '--for', '1h', '--state', state), { status: 0, out: 'dns4 pinned withdrawn for 60 min; nearcast anycast unpin undoes it\n' })
  t.match(await run('refresh', 'example.org', '--whole', '--state', state), { status: 0, out: /^example\.org is being refreshed/, err: '' })
  t.equal(asked.at(-1), 'POST /v1/refresh {"zone":"example.org","whole":true} Bearer secret')
  t.match(await run('reload', '--force', '--state', state), { status: 1, out: /still the old contents/, err: 'zones/nearcast.test.zone:12:9: expected an IPv4 address\n' })
  t.same(JSON.parse((await run('status', '--json', '--state', state)).out), JSON.parse(JSON.stringify(status)))
  t.match(await run('status', '--state', state), { status: 0, out: /^up .*1234 queries/, err: '' })
})

t.test('the status fits 100 columns and tells all', async (t) => {
  const lines = statusLines(status, { startedAt: 400_000, now: 1_000_000, columns: 100 })
  t.same(lines.slice(0, 6).filter((line) => [...line].length > 100), [])
  t.equal(lines[0], 'up 10 min · 1234 queries, 50 a second · local is KR')
  t.match(lines.find((line) => line.startsWith('icn')), /^icn +edge +127\.0\.10\.1 +stopped +down \(forced\) +100 s +12 +94 % +stopped by operator.*…$/)
  t.ok(lines.includes('icn: stopped by operator, 60 s more'), 'what was cut stands below')
  t.match(lines.find((line) => line.startsWith('nrt')), /UP\? .*…$/)
  t.match(lines.find((line) => line.startsWith('daemon')), /4711 +– +8\.3 min .*its disk fails; restarts:…/)
  t.ok(lines.includes('daemon: its disk fails; restarts: 2'))
  t.same(lines.slice(-2), ['zone nearcast.test. serial 7, 10 records, zones/nearcast.test.zone (old)', 'zones/nearcast.test.zone:12:9: expected an IPv4 address'])
  const whole = statusLines({ ...status, viewZones: { lab: status.zones } }, { startedAt: 400_000, now: 1_000_000, columns: Infinity })
  t.notMatch(whole.join('\n'), /…/, 'what is no terminal gets all of it')
  t.ok(whole.includes('view lab: zone nearcast.test. serial 7, 10 records, zones/nearcast.test.zone (old)'))
  t.same(tableOf(['A', 'N'], [['São', '7'], ['x', '12']], { right: [1] }), ['A     N', 'São   7', 'x    12'])
})

t.test('a PoP that is heard, but does not tell what it sees, is not called silent', async (t) => {
  const pop = { name: 'berlin', address: '192.0.2.1', port: 8054, isFresh: false, isBelieved: false, since: 992_400, differs: [], compared: 0, otherwise: [], refused: {} }
  const stateOf = (heardAt?: number): string | undefined => {
    const pops = [{ ...pop, ...(heardAt !== undefined && { heardAt }) }]
    return /8054  (.*?)  /.exec(popLines({ now: 1_000_000, name: 'seoul', total: 2, quorum: { has: false, believed: 1, needed: 2 }, isBelieved: true, pops } as unknown as PopsStatus, 200).join('\n'))?.[1]
  }
  t.same([stateOf(), stateOf(990_000), stateOf(999_265)], ['SILENT', 'SILENT', 'heard, tells nothing'])
})

t.test('a reader that goes away is no trouble', async (t) => {
  const program = join(packageRoot, 'bin/nearcast.js')
  const { stderr, stdout } = spawnSync('bash', ['-c', `set -o pipefail; "${process.execPath}" "${program}" completion fish | head -1`], { encoding: 'utf8' })
  t.match({ stdout, stderr }, { stdout: '# nearcast completion for fish\n', stderr: '' })
})

t.test('what cannot be written is told, and the exit status says so', { skip: existsSync('/dev/full') ? false : 'there is no /dev/full' }, async (t) => {
  const program = join(packageRoot, 'bin/nearcast.js')
  const { status, stderr } = spawnSync('bash', ['-c', `"${process.execPath}" "${program}" completion fish > /dev/full`], { encoding: 'utf8' })
  t.equal(status, 1)
  t.match(stderr, /^nearcast: what was to be said could not be written: ENOSPC/)
})

t.test('forced states are listed, and PoPs that know of one and that will', async (t) => {
  const forces = [{ name: 'fra', state: 'drain', why: 'new disks', since: 940_000, until: 1_060_000 }, { name: 'icn', state: 'down', why: 'moved', since: 999_000, everywhere: 'seoul' }]
  const { state, asked } = await pretend(t, {
    '/v1/forces': { status: 200, body: { now: 1_000_000, forces } },
    '/v1/force': { status: 200, body: { done: true, pops: [{ name: 'berlin', isHeard: true }, { name: 'miami', isHeard: false }] } }
  })
  const { out } = await run('force', '--list', '--state', state)
  t.same(out.split('\n'), ['NAME  FORCED  FOR   ENDS IN  WHERE                 WHY', 'fra   drain   60 s  60 s     here                  new disks', 'icn   down    1 s            everywhere, by seoul  moved', ''])
  t.match((await run('force', 'icn', 'down', '--everywhere', '--state', state)).out, /^icn is out of the answers; its process runs on\ntold to berlin; told to miami when heard again\n$/)
  t.match(asked.at(-1), /"everywhere":true/)
  const { state: idle } = await pretend(t, { '/v1/forces': { status: 200, body: { now: 1, forces: [] } } })
  t.equal((await run('force', '--list', '--state', idle)).out, 'nothing is forced\n')
})
