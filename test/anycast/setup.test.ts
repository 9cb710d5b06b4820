import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import t from 'tap'
import { anycastLines } from '../../cli/anycast-status.ts'
import { openNotify } from '../../cli/systemd.ts'
import { systemAfter, systemClock } from '../../core/clock.ts'
import { parseConfig } from '../../core/config-file.ts'
import { native } from '../../core/native.ts'
import { formatFault } from '../../core/trouble.ts'
import { renderInclude } from '../../daemon/anycast/index.ts'
import { Deadman } from '../../daemon/anycast/deadman.ts'
import { judgeDaemon } from '../../daemon/anycast/deadman-judge.ts'
import { replaceFile } from '../../daemon/anycast/files.ts'
import { deadmanState, readState } from '../../daemon/anycast/state.ts'
import type { AnycastStatus, PrefixStatus } from '../../daemon/anycast/index.ts'
import { root } from '../repo/sources.ts'

const page = readFileSync(join(root, 'docs/anycast.md'), 'utf8')
const blocks = (language: string): string[] => [...page.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map((match) => match[1]!)
const faultsOf = (text: string): string[] => parseConfig('nearcast.yaml', text).faults.map(formatFault)
const find = (name: string): string | undefined => ['/usr/sbin', '/usr/bin', '/sbin', '/bin'].map((folder) => join(folder, name)).find(existsSync)

t.test('the configurations of the page are sound', async (t) => {
  t.equal(blocks('yaml').length, 2)
  for (const block of blocks('yaml')) t.same(faultsOf(block), [])
})

const bird = find('bird')
t.test('BIRD takes those of the page, with everything announced, demoted and withdrawn', { skip: bird === undefined ? 'BIRD is not installed (Debian: bird2)' : false }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bird-conf-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const [conf = '', filter = ''] = blocks('bird')
  const file = join(folder, 'bird.conf')
  writeFileSync(file, conf.replace('/run/nearcast/', `${folder}/`) + filter)
  for (const state of ['announced', 'demoted', 'withdrawn'] as const) {
    writeFileSync(join(folder, 'nearcast.conf'), renderInclude([{ prefix: '192.0.2.0/24', state }, { prefix: '2001:db8:53::/48', state }], { asn: 64500, demotion: { prepends: 3, med: 10, communities: ['65535:0', '64500:1:2'] } }))
    t.doesNotThrow(() => execFileSync(bird!, ['-p', '-c', file], { stdio: 'pipe' }), state)
  }
})

const analyze = find('systemd-analyze')
t.test('systemd finds nothing wrong with the units', { skip: analyze === undefined ? 'systemd-analyze is not installed' : false }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'units-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const unit of ['nearcast.service', 'nearcast-deadman.service']) {
    // The program stands elsewhere here.
    writeFileSync(join(folder, unit), readFileSync(join(root, 'docs', unit), 'utf8').replaceAll('/usr/bin/node', process.execPath))
    t.equal(execFileSync(analyze!, ['verify', join(folder, unit)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }), '', unit)
  }
})

t.test('systemd hears that we live', { skip: native() === undefined ? 'koffi has no binary here' : false }, async (t) => {
  const library = native()!
  const path = join(mkdtempSync(join(tmpdir(), 'notify-')), 'socket')
  t.teardown(() => rmSync(join(path, '..'), { recursive: true, force: true }))
  const address = Buffer.concat([Buffer.of(1, 0), Buffer.from(path)])
  const fd = library.call('int socket(int, int, int)')(1, 2, 0)
  t.equal(library.call('int bind(int, const void *, unsigned int)')(fd, address, address.length), 0)
  const notify = openNotify(path)
  if (typeof notify === 'string') throw new Error(notify)
  notify('READY=1')
  const heard = Buffer.alloc(64)
  const length = library.call('long recv(int, void *, size_t, int)')(fd, heard, heard.length, 0)
  t.equal(heard.toString('utf8', 0, Number(length)), 'READY=1')
  t.match(openNotify('nowhere'), 'nowhere is no socket')
})

t.test('what cannot be meant is refused where it stands', async (t) => {
  const base = 'dns: { listen: [192.0.2.53] }\nanycast:\n  asn: 64500\n  upstreams: [r1]\n  bird: {}\n  min-pops: 0\n'
  const prefixes = (row: string): string => `${base}  prefixes: { dns: { ${row} } }\n`
  const good = 'prefix: 192.0.2.0/24, addresses: [192.0.2.53]'
  t.same(faultsOf(prefixes(good)), [])
  const cases: readonly (readonly [string, RegExp])[] = [
    [prefixes('prefix: 192.0.2.0/24, addresses: [198.51.100.1]'), /^nearcast\.yaml:7:\d+: anycast\.prefixes\.dns\.addresses\.0: 198\.51\.100\.1 is not in 192\.0\.2\.0\/24/],
    [prefixes('prefix: 192.0.2.0/24, addresses: [192.0.2.54]'), /DNS does not listen on 192\.0\.2\.54 \(add it to dns\.listen, or let that be 0\.0\.0\.0\)/],
    [prefixes('prefix: 192.0.2.1/24, addresses: [192.0.2.53]'), /expected an address or a prefix/],
    [prefixes(`${good}, server: dns`), /unknown key anycast\.prefixes\.dns\.server \(did you mean serves\?\)/],
    [prefixes(good).replace('asn: 64500', 'asn: 0'), /anycast\.asn/],
    [prefixes(good).replace('upstreams: [r1]', 'upstreams: []'), /names no BGP session/],
    [prefixes(good).replace('  bird: {}\n', ''), /says nothing of who speaks BGP/],
    [prefixes(good).replace('bird: {}', 'bird: {}\n  exabgp: { pipe: x }'), /names two that speak BGP/],
    [prefixes(good).replace('min-pops: 0', 'min-pops: 1'), /there is 1 PoP in all, and so nothing would ever be withdrawn/],
    [prefixes(good).replace('min-pops: 0', 'min-pop: 0'), /unknown key anycast\.min-pop \(did you mean min-pops\?\)/],
    [prefixes(good).replace('upstreams:', 'demotion: { communities: [no-export] }\n  upstreams:'), /expected a community such as 65535:0/],
    [prefixes(good).replace('upstreams:', 'hold: 1h\n  upstreams:'), /longest-hold: is shorter than hold/],
    [prefixes(good).replace('bird: {}', 'exabgp: { pipe: x, next-hop: "2001:db8::1" }'), /exabgp\.next-hop: 192\.0\.2\.0\/24 cannot be reached by way of an IPv6 address/]
  ]
  for (const [text, reason] of cases) t.ok(faultsOf(text).some((fault) => reason.test(fault)), `${reason}: ${faultsOf(text).join('; ')}`)
})

t.test('the daemon is taken for dead when it is, and for nothing less', async (t) => {
  const rules = { everyMs: 1000, restartMs: 10_000 }
  const seen = { state: { pid: 7, at: 100_000, hasEnded: false }, isThere: true, listeners: undefined, startedAt: 0, now: 100_500, isEnding: false }
  const silent = 'DNS: refused'
  const is = (change: object, state: object = {}): string => judgeDaemon({ ...seen, ...change, state: { ...seen.state, ...state } }, rules).is
  t.equal(is({}), 'alive')
  t.equal(is({ listeners: silent }), 'alive', 'it lives, and decides itself')
  t.equal(is({ isThere: false, listeners: silent }), 'dead', 'gone')
  t.equal(is({ isThere: false }), 'absent', 'gone, and something answers')
  t.equal(is({ now: 103_000, listeners: silent }), 'dead', 'it hangs')
  t.equal(is({ now: 160_000 }), 'alive', 'its threads answer')
  t.equal(is({ isThere: false, listeners: silent, now: 105_000 }, { hasEnded: true }), 'absent', 'ended, and expected back')
  t.equal(is({ isThere: false, listeners: silent, now: 111_000 }, { hasEnded: true }), 'dead', 'ended, and not back')
  t.equal(is({ isThere: false, listeners: silent, startedAt: 100_400 }), 'absent', 'it may be starting, as we are')
  t.equal(is({ isThere: false, listeners: silent, startedAt: 100_400, now: 110_500 }), 'dead')
  t.equal(is({ isThere: false, isEnding: true }, { hasEnded: true }), 'dead', 'nobody will watch after this')
  t.equal(is({ isEnding: true }), 'alive')
})

t.test('a dead-man whose configuration is older than the daemon\'s withdraws nothing against the rules, and announces nothing anew', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'deadman-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const { config } = parseConfig('nearcast.yaml', `dns: { listen: [192.0.2.53, 198.51.100.53] }\nanycast:\n  asn: 64500\n  upstreams: [r1]\n  every: 100ms\n  restart-within: 1ms\n  bird: { socket: ${folder}/bird.ctl, include: ${folder}/nearcast.conf }\n  min-pops: 0\n  max-withdrawn: 0\n  prefixes: { one: { prefix: 192.0.2.0/24, addresses: [192.0.2.53] }, two: { prefix: 198.51.100.0/24, addresses: [198.51.100.53] } }\n`)
  const now = Date.now()
  const row = (prefix: string): object => ({ prefix, history: { state: 'announced', since: now - 60_000, flaps: 0, hasFallen: false }, isWell: true, isLeaving: false, leases: [] })
  // It has got a third prefix since, and the second is another one.
  writeFileSync(join(folder, 'anycast.json'), JSON.stringify({ pid: 0x7ffffff0, at: now, hasEnded: false, ports: { dns: 9, http: 9 }, taken: 5, prefixes: { one: row('192.0.2.0/24'), two: row('203.0.113.0/24'), three: row('2001:db8::/32') } }))
  const deadman = new Deadman({ config: { ...config!, anycast: config!.anycast! }, stateFolder: folder, isAlive: () => false, clock: systemClock, after: systemAfter, log: pino({ level: 'silent' }) })
  t.teardown(() => deadman.close())
  const include = join(folder, 'nearcast.conf')
  // A timer of its own keeps no process.
  for (let tries = 0; tries < 300 && !existsSync(include); tries++) await sleep(100)
  const expected = ['192.0.2.0/24', '203.0.113.0/24', '2001:db8::/32'].map((prefix) => ({ prefix, state: 'demoted' as const }))
  t.equal(readFileSync(include, 'utf8'), renderInclude(expected, { asn: 64500, demotion: config!.anycast!.demotion }))
  const acts = (): number | undefined => readState(join(folder, 'deadman.json'), deadmanState)?.acts
  for (let tries = 0; tries < 300 && acts() !== 6; tries++) await sleep(100)
  t.equal(acts(), 6, 'without a count of its own it goes on from what the daemon has taken over')
})

t.test('a daemon that dies again before it has written anything down is not announced again', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'deadman-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const { config } = parseConfig('nearcast.yaml', `dns: { listen: [192.0.2.53] }\nanycast:\n  asn: 64500\n  upstreams: [r1]\n  every: 100ms\n  restart-within: 1ms\n  demote-for: 100ms\n  bird: { socket: ${folder}/bird.ctl, include: ${folder}/nearcast.conf }\n  min-pops: 0\n  prefixes: { one: { prefix: 192.0.2.0/24, addresses: [192.0.2.53] } }\n`)
  const since = Date.now() - 60_000
  const write = (): void => writeFileSync(join(folder, 'anycast.json'), JSON.stringify({ pid: 0x7ffffff0, at: Date.now(), hasEnded: false, ports: { dns: 9, http: 9 }, taken: 0, prefixes: { one: { prefix: '192.0.2.0/24', history: { state: 'announced', since, flaps: 0, hasFallen: false }, isWell: true, isLeaving: false, leases: [] } } }))
  write()
  let lives = false
  const deadman = new Deadman({ config: { ...config!, anycast: config!.anycast! }, stateFolder: folder, isAlive: () => lives, clock: systemClock, after: systemAfter, log: pino({ level: 'silent' }) })
  t.teardown(() => deadman.close())
  const becomes = async (holds: (state: ReturnType<typeof readState<typeof deadmanState>>) => boolean): Promise<void> => {
    for (let tries = 0; tries < 300 && !holds(readState(join(folder, 'deadman.json'), deadmanState)); tries++) {
      if (lives) write()
      await sleep(100)
    }
  }
  await becomes((state) => state?.prefixes['one']?.history.state === 'withdrawn')
  lives = true
  await becomes((state) => state?.isActing === false)
  lives = false
  await becomes((state) => state?.acts === 2)
  t.match(readState(join(folder, 'deadman.json'), deadmanState), { acts: 2, isActing: true, prefixes: { one: { history: { state: 'withdrawn' } } } })
  t.equal(readFileSync(join(folder, 'nearcast.conf'), 'utf8'), renderInclude([], { asn: 64500, demotion: config!.anycast!.demotion }))
})

t.test('a dead-man goes by what its configuration says once the daemon was started with it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'deadman-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'nearcast.yaml')
  const write = (hold: string, pid: number): void => {
    writeFileSync(file, `dns: { listen: [192.0.2.53] }\nanycast:\n  asn: 64500\n  upstreams: [r1]\n  hold: ${hold}\n  bird: { socket: ${folder}/bird.ctl, include: ${folder}/nearcast.conf }\n  min-pops: 0\n  prefixes: { one: { prefix: 192.0.2.0/24, addresses: [192.0.2.53] } }\n`)
    writeFileSync(join(folder, 'anycast.json'), JSON.stringify({ pid, at: Date.now(), hasEnded: false, ports: { dns: 9, http: 9 }, taken: 0, prefixes: {} }))
  }
  write('10s', process.pid)
  const child = spawn(process.execPath, [join(root, 'bin/nearcast.js'), 'anycast', 'deadman', '--config', file, '--state', folder], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => void child.kill('SIGKILL'))
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (said += text.toString()))
  const says = async (what: RegExp): Promise<string> => {
    for (let tries = 0; tries < 600 && !what.test(said); tries++) await sleep(100)
    return said
  }
  for (let tries = 0; tries < 600 && !existsSync(join(folder, 'deadman.json')); tries++) await sleep(100)
  write('20s', process.ppid)
  t.match(await says(/read again/), /nearcast\.yaml was changed, and has been read again with the daemon/)
  write('never', process.pid)
  t.match(await says(/of before counts/), /the configuration of before counts: .*anycast\.hold/)
  t.equal(child.exitCode, null, 'it goes on watching')
})

t.test('status says once what prefixes have in common, and whom the dead-man does not hear', async (t) => {
  const row = (name: string, prefix: string, reasons: readonly string[]): PrefixStatus => ({ name, prefix, addresses: [], serves: 'dns', state: 'announced', since: 0, reasons, alarms: [], grade: 'good', flaps: 0, isSettled: false, others: [] })
  const long = 'a reason that is longer than any table has room for beside all the rest that it has to show of a prefix'
  const status: AnycastStatus = {
    now: 1000, pop: 'icn', pops: { total: 3, heard: 3, quorum: 2 }, minPops: 1, maxWithdrawn: 1, speaker: { what: 'BIRD 2.0.12', isThere: true, sessions: [], alarms: [] },
    prefixes: [row('dns4', '192.0.2.0/24', [long]), row('dns6', '2001:db8:53::/48', [long]), row('edge4', '203.0.113.0/24', ['another'])],
    deadman: { pid: 7, at: 1000, isActing: false, acts: 0, why: '', unheard: ['fra'] }
  }
  const lines = anycastLines(status, 80)
  t.equal(lines.filter((line) => line.includes(long)).length, 1)
  t.match(lines.find((line) => line.startsWith('dns6')), /as dns4$/)
  t.match(lines.find((line) => line.startsWith('edge4')), /another$/)
  t.match(lines.at(-1), /^ALARM the dead-man does not hear that of fra \(UDP port pops\.port \+ 1\)/)
})

t.test('a file that cannot be replaced leaves nothing beside it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'files-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'taken', 'by'), { recursive: true })
  await t.rejects(replaceFile(join(folder, 'taken'), 'text', { isLasting: true, mode: 0o600 }))
  t.same(readdirSync(folder), ['taken'])
})
