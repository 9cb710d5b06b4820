import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { systemAfter, systemClock } from '../../core/clock.ts'
import { BirdSpeaker } from '../../daemon/anycast/bird-speaker.ts'
import { openBird } from '../../daemon/anycast/bird.ts'
import { renderInclude, type Route } from '../../daemon/anycast/include.ts'
import type { SpeakerView } from '../../daemon/anycast/speaker.ts'

const DEMOTION = { prepends: 2, med: 50, communities: ['65535:0', '64500:1:2'] }
const ROUTES: readonly Route[] = [{ prefix: '192.0.2.0/24', state: 'announced' }, { prefix: '2001:db8:53::/48', state: 'announced' }]
const log = pino({ level: 'silent' })

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'bird-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function speakerIn(t: Test, folder: string, timeoutMs = 20_000): BirdSpeaker {
  const speaker = new BirdSpeaker({ asn: 64500, demotion: DEMOTION, socket: join(folder, 'bird.ctl'), include: join(folder, 'nearcast.conf'), timeoutMs, upstreams: ['r1'], clock: systemClock, after: systemAfter, log })
  t.teardown(() => speaker.close())
  return speaker
}

/** Looks again until what the speaker says is as it should be. */
async function until(speaker: BirdSpeaker, holds: (view: SpeakerView) => boolean): Promise<SpeakerView> {
  for (let tries = 0; tries < 300 && !holds(speaker.view()); tries++) {
    await speaker.look()
    await sleep(100)
  }
  return speaker.view()
}

/** Whoever answers in BIRD's place: of each command, what it writes. */
async function standIn(t: Test, folder: string, answer: (command: string, socket: Socket) => string | undefined, greeting = '0001 BIRD 3.1.0 ready.\n'): Promise<string[]> {
  const asked: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.write(greeting)
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      for (const command of text.split('\n').filter((each) => each !== '')) {
        asked.push(command)
        const said = command === 'restrict' ? '0016 Access restricted\n' : answer(command, socket)
        if (said !== undefined) socket.write(said)
      }
    })
  })
  await new Promise<void>((resolve) => void server.listen(join(folder, 'bird.ctl'), resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return asked
}

const UP = '2002-Name Proto Table State Since Info\n1002-r1 BGP --- up 10:00:00.000 Established\n1006-  Channel ipv4\n   State: UP\n   Channel ipv6\n0000 \n'
const sent = (command: string): string => `1007-Table master4:\n ${/route (\S+)/.exec(command)![1]} blackhole [nearcast4 10:00:00.000] * (200)\n1008-\tType: static univ\n0000 \n`

t.test('BIRD 3 takes its time, and says other things in between', async (t) => {
  const folder = folderOf(t)
  const asked = await standIn(t, folder, (command) => {
    if (command === 'configure check') return '0002-Reading configuration from bird.conf\n+something happened\n0020 Configuration OK\n'
    if (command === 'configure') return '0002-Reading configuration from bird.conf\n0004 Reconfiguration in progress\n+Reconfigured\n'
    return command.startsWith('show protocols') ? UP : sent(command)
  })
  const speaker = speakerIn(t, folder)
  await speaker.carry(ROUTES)
  t.match(speaker.view(), { what: 'BIRD 3.1.0', isThere: true, alarms: [] })
  t.equal(readFileSync(join(folder, 'nearcast.conf'), 'utf8'), renderInclude(ROUTES, { asn: 64500, demotion: DEMOTION }))
  t.same(asked.slice(0, 3), ['configure check', 'configure', 'restrict'], 'what only reads can do nothing else')
  await speaker.look()
  t.equal(asked.filter((command) => command === 'configure').length, 1, 'nothing is told twice')
})

const configured = (reply: string): ((command: string) => string) => (command) => (command.startsWith('configure') ? reply : UP)
const TROUBLES: readonly (readonly [string, (command: string, socket: Socket) => string | undefined, RegExp, string?])[] = [
  ['a configuration that is refused', configured('8002 bird.conf:3:1 syntax error\n'), /BIRD refuses its configuration, and keeps the one before: bird.conf:3:1 syntax error/],
  ['a connection that may only read', configured('8007 Access denied\n'), /BIRD does not let itself be configured/],
  ['a command that is not known', configured('9001 syntax error\n'), /BIRD answers 9001 syntax error/],
  ['one that is shutting down', configured('0007 Shutdown requested\n'), /BIRD is shutting down/],
  ['one that never answers', () => undefined, /BIRD has not answered "configure check" for 300 ms/],
  ['one that hangs up', (_, socket) => void socket.destroy(), /BIRD closed its control socket/],
  ['one that is not BIRD', () => 'HTTP/1.1 400 Bad Request\n', /does not speak like BIRD/],
  ['one that never ends', (_, socket) => void socket.write(`0000-${'x'.repeat(1 << 20)}\n`.repeat(6)), /answers without end/],
  ['a line without end', (_, socket) => void socket.write('x'.repeat(6 << 20)), /answers without end/],
  ['one that greets otherwise', () => undefined, /greets with 9999, not as BIRD does/, '9999 hello\n'],
  ['what is sent unasked', () => '0020 Configuration OK\n0003 Reconfigured\n', /answers unasked/],
  ['a session that is not there', (command) => (command.startsWith('configure') ? '0003 Reconfigured\n' : '9001 syntax error, unexpected CF_SYM_UNDEFINED\n'), /BIRD has no protocol r1/],
  ['a session that is down', (command) => (command.startsWith('configure') ? '0003 Reconfigured\n' : command.startsWith('show protocols') ? '1002-r1 BGP --- start 10:00:00.000 Active Socket: Connection refused\n0000 \n' : '8001 Network not found\n'), /r1 is not established: start, Active Socket: Connection refused/],
  ['a filter that lets nothing out', (command) => (command.startsWith('configure') ? '0003 Reconfigured\n' : command.startsWith('show protocols') ? UP : '8001 Network not found\n'), /192\.0\.2\.0\/24 is to be announced, and is not sent to r1/]
]
for (const [what, answer, trouble, greeting] of TROUBLES) {
  t.test(`said clearly, and lived through: ${what}`, async (t) => {
    const folder = folderOf(t)
    await standIn(t, folder, answer, greeting)
    const speaker = speakerIn(t, folder, what === 'one that never answers' ? 300 : 20_000)
    await speaker.carry(ROUTES)
    t.match(speaker.view().alarms.join('\n'), trouble)
  })
}

t.test('lines made to be slow to read are read all the same', async (t) => {
  const folder = folderOf(t)
  const long = 3 << 20
  await standIn(t, folder, (command) => {
    if (command.startsWith('configure')) return '0003 Reconfigured\n'
    return command.startsWith('show protocols') ? `${UP.slice(0, -'0000 \n'.length)}1006-  Routes: ${'1'.repeat(long)}\n0000 \n` : `1007-192.0.2.0/24 blackhole\n1012-\tBGP.community: ${'('.repeat(long)}\n0000 \n`
  })
  const speaker = speakerIn(t, folder)
  await speaker.carry([ROUTES[0]!])
  t.match(speaker.view(), { isThere: true, sessions: [{ isEstablished: true }] })
})

t.test('an answer in single octets is one answer', async (t) => {
  const folder = folderOf(t)
  await standIn(t, folder, (_, socket) => {
    void (async () => {
      for (const octet of '1000-BIRD\n more\n+noise\n0013 Daemon is up and running\n') {
        socket.write(octet)
        await sleep(1)
      }
    })()
    return undefined
  })
  const bird = await openBird({ socket: join(folder, 'bird.ctl'), timeoutMs: 20_000, after: systemAfter }, false)
  t.same(await bird.ask('show status'), { code: 13, text: 'Daemon is up and running', lines: [{ code: 1000, text: 'BIRD' }, { code: 1000, text: 'more' }, { code: 13, text: 'Daemon is up and running' }] })
  bird.close()
})

t.test('without BIRD, and where the include cannot be written, that is said', async (t) => {
  const folder = folderOf(t)
  const speaker = speakerIn(t, folder)
  await speaker.carry(ROUTES)
  t.match(speaker.view(), { isThere: false, alarms: [/BIRD is not running: there is no .*bird\.ctl/] })
  writeFileSync(join(folder, 'file'), '')
  const other = new BirdSpeaker({ asn: 1, demotion: DEMOTION, socket: join(folder, 'bird.ctl'), include: join(folder, 'file/nearcast.conf'), timeoutMs: 1000, upstreams: [], clock: systemClock, after: systemAfter, log })
  t.teardown(() => other.close())
  await other.carry(ROUTES)
  t.match(other.view().alarms, [/file\/nearcast\.conf cannot be used: not a directory/])
})

const bird = ['/usr/sbin/bird', '/usr/bin/bird', '/sbin/bird'].find(existsSync)

t.test('a real BIRD announces, demotes and withdraws, and is put right', { skip: bird === undefined ? 'BIRD is not installed (Debian: bird2)' : false }, async (t) => {
  const folder = folderOf(t)
  const [own, peer] = [1, 2].map((last) => `127.${64 + (process.pid & 63)}.${(process.pid >> 6) & 255}.${last}`)
  const session = (name: string, local: string, localAs: number, to: string, toAs: number, out: string): string => `router id ${local};\nprotocol device { }\nprotocol bgp ${name} { local ${local} port 1790 as ${localAs}; neighbor ${to} port 1790 as ${toAs}; multihop; strict bind yes; connect delay time 1; connect retry time 1; error wait time 1, 2; ipv4 { import all; export ${out}; }; ipv6 { import all; export ${out}; next hop address ::1; }; }\n`
  writeFileSync(join(folder, 'nearcast.conf'), renderInclude([], { asn: 64500, demotion: DEMOTION }))
  writeFileSync(join(folder, 'bird.conf'), `include "nearcast.conf";\n${session('r1', own!, 64500, peer!, 64496, 'filter nearcast')}`)
  writeFileSync(join(folder, 'peer.conf'), session('pop', peer!, 64496, own!, 64500, 'none'))
  const start = (conf: string, socket: string): ReturnType<typeof spawn> => {
    const child = spawn(bird!, ['-f', '-c', join(folder, conf), '-s', join(folder, socket)], { stdio: 'ignore', cwd: folder })
    t.teardown(() => void child.kill('SIGKILL'))
    return child
  }
  start('peer.conf', 'peer.ctl')
  const first = start('bird.conf', 'bird.ctl')
  const heardNow = async (): Promise<string> => {
    const client = await openBird({ socket: join(folder, 'peer.ctl'), timeoutMs: 20_000, after: systemAfter }, true)
    const { lines } = await client.ask('show route all')
    client.close()
    return lines.map(({ text }) => text).join('\n')
  }
  const heard = async (wanted: RegExp): Promise<string> => {
    let text = await heardNow()
    for (let tries = 0; tries < 300 && !wanted.test(text); tries++) {
      await sleep(100)
      text = await heardNow()
    }
    return text
  }
  const speaker = speakerIn(t, folder)
  const isAsIntended = ({ isThere, alarms }: SpeakerView): boolean => isThere && alarms.length === 0
  await speaker.carry(ROUTES)
  t.match(await until(speaker, isAsIntended), { what: /^BIRD [23]/, sessions: [{ name: 'r1', isEstablished: true, neighbourAs: 64496, sent: [{ prefix: '192.0.2.0/24', isDemoted: false }, { prefix: '2001:db8:53::/48', isDemoted: false }] }] })
  t.match(await heard(/192\.0\.2\.0\/24/), /192\.0\.2\.0\/24/)

  await speaker.carry([{ prefix: '192.0.2.0/24', state: 'demoted' }, ROUTES[1]!])
  t.match(await until(speaker, isAsIntended), { sessions: [{ sent: [{ isDemoted: true }, { isDemoted: false }] }] })
  const routes = await heard(/BGP\.med: 50/)
  t.match(routes, /BGP\.as_path: 64500 64500 64500\n/)
  t.match(routes, /BGP\.med: 50/)
  t.match(routes, /BGP\.community: \(65535,0\)/)
  t.match(routes, /BGP\.large_community: \(64500, 1, 2\)/)

  execFileSync('birdc', ['-s', join(folder, 'bird.ctl'), 'configure', 'undo'])
  t.match((await until(speaker, ({ alarms }) => alarms.length > 0)).alarms, [/192\.0\.2\.0\/24 is to be demoted, and is sent as announced to r1/], 'the include is as it was, and BIRD went back to the one before')
  t.match(await until(speaker, isAsIntended), { sessions: [{ sent: [{ isDemoted: true }, { isDemoted: false }] }] })

  writeFileSync(join(folder, 'nearcast.conf'), renderInclude(ROUTES, { asn: 64500, demotion: DEMOTION }))
  execFileSync('birdc', ['-s', join(folder, 'bird.ctl'), 'configure'])
  t.match((await until(speaker, ({ alarms }) => alarms.length > 0)).alarms, [/nearcast\.conf was changed by somebody else, and has been put right/])
  t.match(await until(speaker, ({ sessions }) => sessions[0]?.sent[0]?.isDemoted === true), { sessions: [{ sent: [{ isDemoted: true }, { isDemoted: false }] }] })

  first.kill('SIGKILL')
  t.match((await until(speaker, ({ isThere }) => !isThere)).alarms.join('\n'), /BIRD is not running: nobody listens|BIRD closed/)
  await speaker.carry([{ prefix: '192.0.2.0/24', state: 'withdrawn' }, ROUTES[1]!])
  rmSync(join(folder, 'bird.ctl'), { force: true })
  start('bird.conf', 'bird.ctl')
  await until(speaker, ({ isThere, sessions }) => isThere && sessions[0]?.isEstablished === true && sessions[0].sent.length === 1)
  t.match(speaker.view(), { isThere: true, sessions: [{ sent: [{ prefix: '2001:db8:53::/48' }] }] })
})
