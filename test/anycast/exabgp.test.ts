import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import { systemAfter, systemClock } from '../../core/clock.ts'
import { exabgpLines, ExabgpSpeaker } from '../../daemon/anycast/exabgp-speaker.ts'
import type { Route } from '../../daemon/anycast/include.ts'
import { root } from '../repo/sources.ts'
import { end, enter, findWay, launch, makeSpaces, runCommand, toolPath, until, type Held } from './spaces.ts'

const OPTIONS = { asn: 64500, demotion: { prepends: 2, med: 50, communities: ['65535:0', '64500:1:2'] } }

t.test('ExaBGP is told in its own words', async (t) => {
  t.same(exabgpLines([{ prefix: '192.0.2.0/24', state: 'announced' }, { prefix: '198.51.100.0/24', state: 'demoted' }, { prefix: '2001:db8::/48', state: 'withdrawn' }], OPTIONS, 'self'), [
    'announce route 192.0.2.0/24 next-hop self',
    'announce route 198.51.100.0/24 next-hop self as-path [ 64500 64500 64500 ] med 50 community [ 65535:0 ] large-community [ 64500:1:2 ]',
    'withdraw route 2001:db8::/48 next-hop self'
  ])
})

// The page's exabgp.conf, whose router is a BIRD in a namespace beside it.

const way = findWay()
const skip = typeof way !== 'string' ? way.reason : spawnSync('sh', ['-c', 'command -v exabgp'], { env: toolPath() }).status === 0 ? false : 'ExaBGP is not installed (Debian: exabgp)'

const session = (family: 4 | 6, own: string, peer: string): string => `protocol bgp pop${family} { local ${own} as 64496; neighbor ${peer} as 64500; passive yes; ipv${family} { import all; export none; }; }\n`
const ROUTER = `router id 198.51.100.2;
protocol device { }
${session(4, '198.51.100.2', '198.51.100.1')}${session(6, '2001:db8:100::2', '2001:db8:100::1')}`
const ADDRESSES = { pop: ['198.51.100.1/24', '2001:db8:100::1/64'], router: ['198.51.100.2/24', '2001:db8:100::2/64'] } as const

t.test('a real ExaBGP announces, demotes and withdraws, and learns it again when it was started again', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'exabgp-'))
  const pipe = join(folder, 'nearcast.in')
  const socket = join(folder, 'router.ctl')
  const log = join(folder, 'log')
  const page = readFileSync(join(root, 'docs/anycast.md'), 'utf8')
  writeFileSync(join(folder, 'exabgp.conf'), /```exabgp\n([\s\S]*?)```/.exec(page)![1]!.replace('/run/exabgp/nearcast.in', pipe))
  writeFileSync(join(folder, 'router.conf'), ROUTER)
  execFileSync('mkfifo', [pipe])
  const held: Held[] = []
  const { spaces, above } = await makeSpaces(way as 'root' | 'user', ['pop', 'router'], log)
  t.teardown(async () => {
    if (!t.passing()) t.comment(readFileSync(log, 'utf8').slice(-4000))
    await end([...held, ...Object.values(spaces), ...(above === undefined ? [] : [above])])
    rmSync(folder, { recursive: true, force: true })
  })
  const inside = (node: 'pop' | 'router', ...command: string[]): string[] => [...enter(way as 'root' | 'user', spaces[node]!), ...command]
  const start = (node: 'pop' | 'router', ...command: string[]): Held => {
    const started = launch(inside(node, 'setpriv', '--pdeathsig', 'KILL', '--', ...command), { log })
    held.push(started)
    return started
  }
  await runCommand(inside('pop', 'ip', 'link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns', String(spaces['router']!.pid)))
  for (const node of ['pop', 'router'] as const) {
    const lines = ['ip link set lo up', ...ADDRESSES[node].map((address) => `ip address add ${address} dev cable${address.includes(':') ? ' nodad' : ''}`), 'ip link set cable up']
    t.match(await runCommand(inside(node, 'sh', '-ec', lines.join('\n'))), { status: 0, err: '' })
  }
  start('router', 'bird', '-f', '-c', join(folder, 'router.conf'), '-s', socket)
  const startExabgp = (): Held => start('pop', 'env', 'exabgp.daemon.user=root', 'exabgp.api.cli=false', 'exabgp', join(folder, 'exabgp.conf'))
  const first = startExabgp()

  const speaker = new ExabgpSpeaker({ ...OPTIONS, pipe, nextHop: 'self', clock: systemClock, after: systemAfter, log: pino({ level: 'silent' }) })
  t.teardown(() => speaker.close())
  const routes = async (): Promise<string> => (await runCommand(inside('router', 'birdc', '-s', socket, 'show', 'route', 'all'))).out
  /** The router hears all of these, and nothing of those, while the speaker is told of its intent as every second in the daemon. */
  const hears = (wanted: readonly RegExp[], gone: readonly RegExp[] = []): Promise<boolean> =>
    until(async () => {
      await speaker.look()
      const text = await routes()
      return wanted.every((each) => each.test(text)) && !gone.some((each) => each.test(text))
    }, 120_000)
  const up: readonly Route[] = [{ prefix: '192.0.2.0/24', state: 'announced' }, { prefix: '2001:db8:53::/48', state: 'announced' }]
  await speaker.carry(up)
  t.ok(await hears([/^192\.0\.2\.0\/24 [\s\S]*?BGP\.as_path: 64500\n/m, /^2001:db8:53::\/48 [\s\S]*?BGP\.as_path: 64500\n/m]), 'announced, over a session of each family')
  await speaker.carry(up.map(({ prefix }) => ({ prefix, state: 'demoted' })))
  const demoted = 'BGP\\.as_path: 64500 64500 64500\\n[\\s\\S]*?BGP\\.med: 50\\n[\\s\\S]*?BGP\\.community: \\(65535,0\\)\\n\\s*BGP\\.large_community: \\(64500, 1, 2\\)'
  t.ok(await hears([new RegExp(`^192\\.0\\.2\\.0/24 [\\s\\S]*?${demoted}`, 'm'), new RegExp(`^2001:db8:53::/48 [\\s\\S]*?${demoted}`, 'm')]), 'demoted: the own AS twice more, MED, communities')
  await speaker.carry([{ prefix: '192.0.2.0/24', state: 'withdrawn' }, up[1]!])
  t.ok(await hears([/^2001:db8:53::\/48 /m], [/^192\.0\.2\.0\/24 /m]), 'one is withdrawn, the other announced again')
  t.match(speaker.view(), { isThere: true, alarms: [] })

  await end([first])
  await until(async () => {
    await speaker.look()
    return speaker.view().alarms.length > 0
  }, 60_000)
  t.match(speaker.view(), { isThere: false, alarms: [`ExaBGP does not read ${pipe}`] })
  startExabgp()
  t.ok(await hears([/^2001:db8:53::\/48 /m], [/^192\.0\.2\.0\/24 /m]), 'the one that was started again has learnt it')
})
