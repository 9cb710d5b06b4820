import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import packet, { type DecodedPacket } from 'dns-packet'
import t, { type Test } from 'tap'
import { packageRoot } from '../../cli/folders.ts'

// `nearcast dns` as it is called from a shell.

t.setTimeout(400_000)

const PORT = '17310'
const zone = (text: string): string => `$TTL 300\n@ SOA ns hostmaster 1 3600 600 604800 60\n@ NS ns\nns A 192.0.2.1\ntext TXT "${text}"\n`

interface Program {
  readonly said: { out: string; err: string }
  end(signal: NodeJS.Signals): Promise<number | null>
  readonly ended: Promise<number | null>
}

/** Runs the command; what it makes for a while, it makes below `temporary`. */
function run(t: Test, temporary: string, ...argv: string[]): Program {
  const child = spawn(process.execPath, [join(packageRoot, 'bin/nearcast.js'), 'dns', ...argv], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, TMPDIR: temporary } })
  const said = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (said.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said.err += chunk.toString()))
  const ended = once(child, 'close').then(([code]) => code as number | null)
  t.teardown(() => child.kill('SIGKILL'))
  return {
    said,
    ended,
    end: (signal) => {
      child.kill(signal)
      return ended
    }
  }
}

async function until(what: () => boolean | Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 1200; tries++) {
    if (await what()) return true
    await sleep(50)
  }
  return false
}

function ask(name: string, type: 'A' | 'TXT' | 'SOA'): Promise<DecodedPacket> {
  const socket = createSocket('udp4')
  const answer = once(socket, 'message').then(([octets]) => packet.decode(octets as Buffer))
  socket.send(packet.encode({ type: 'query', id: 7, questions: [{ name, type }] }), Number(PORT), '127.0.0.1')
  return answer.finally(() => socket.close())
}

const text = async (name: string): Promise<string> => String((await ask(name, 'TXT')).answers!.map((answer) => ('data' in answer ? String(answer.data) : ''))[0])

t.test('a folder of zones is served, followed and left as it was', async (t) => {
  const root = t.testdir({ zones: { 'one.test.zone': zone('one'), 'two.test.zone': zone('two'), 'broken.test.zone': `${zone('three')}bad A 192.0.2\n` }, temporary: {} })
  const zones = join(root, 'zones')
  const temporary = join(root, 'temporary')
  const server = run(t, temporary, '--zones', zones, '--port', PORT, '--listen', '127.0.0.1', '--threads', '1')
  t.ok(await until(() => server.said.out !== ''), 'it says when it serves')
  t.equal(server.said.out, `serving 2 zones, 8 records, over UDP and TCP at 127.0.0.1:${PORT}\n`)
  t.match(server.said.err, /broken\.test\.zone:6:7: A: /, 'a zone with faults is not served, and told of')
  t.equal(await text('text.one.test'), 'one')
  t.equal((await ask('text.broken.test', 'TXT') as DecodedPacket & { rcode: string }).rcode, 'REFUSED')

  const other = run(t, temporary, '--zones', zones, '--port', PORT, '--listen', '127.0.0.1')
  t.equal(await other.ended, 1)
  t.match(other.said.err.split('\n').filter((line) => !line.startsWith('{')), [/^nearcast: cannot listen on 127\.0\.0\.1 port 17310 over UDP: it is in use .*--port/, ''], 'one line where the port is taken')

  writeFileSync(join(zones, 'one.test.zone'), zone('edited'))
  writeFileSync(join(zones, 'new.test.zone'), zone('new'))
  t.ok(await until(async () => (await text('text.one.test')) === 'edited' && (await text('text.new.test')) === 'new'), 'edits and new zones are answered')
  appendFileSync(join(zones, 'two.test.zone'), 'bad A 192.0.2\n')
  t.ok(await until(() => server.said.err.includes('two.test.zone:6:7: A: ')))
  t.equal(await text('text.two.test'), 'two', 'what was good is served on')

  writeFileSync(join(zones, 'policies.yaml'), 'policies:\n  near: { geolocation: { KR: 192.0.2.10, default: 192.0.2.20 } }\n')
  writeFileSync(join(zones, 'one.test.zone'), `${zone('edited')}www 20 ROUTE near\n`)
  t.ok(await until(async () => (await ask('www.one.test', 'A')).answers!.length > 0), 'policies of plain addresses are followed')
  t.match((await ask('www.one.test', 'A')).answers, [{ type: 'A', data: '192.0.2.10', ttl: 20 }], 'and places are known by then')

  t.equal(await server.end('SIGTERM'), 0)
  t.same(readdirSync(temporary), [], 'nothing is left behind')
  t.same(readdirSync(root).sort(), ['temporary', 'zones'])
})

t.test('with a state folder, the last good zone outlives a restart', async (t) => {
  const root = t.testdir({ zones: { 'one.test.zone': zone('one') } })
  mkdirSync(join(root, 'temporary'))
  const options = ['--zones', join(root, 'zones'), '--port', PORT, '--listen', '127.0.0.1,::1', '--state', join(root, 'state')]
  const server = run(t, join(root, 'temporary'), ...options)
  t.ok(await until(() => server.said.out !== ''))
  t.equal(await server.end('SIGINT'), 0)
  writeFileSync(join(root, 'zones/one.test.zone'), `${zone('two')}bad A 192.0.2\n`)
  const again = run(t, join(root, 'temporary'), ...options)
  t.ok(await until(() => again.said.out !== ''))
  t.match(again.said.out, `serving 1 zone, 4 records, over UDP and TCP at 127.0.0.1:${PORT}, [::1]:${PORT}`)
  t.equal(await text('text.one.test'), 'one')
  t.equal(await again.end('SIGTERM'), 0)
})

t.test('what is wrong with --config and --tsig-keys is told in a line', async (t) => {
  const root = t.testdir({
    zones: { 'one.test.zone': zone('one') },
    temporary: {},
    'empty.keys': '// none\n',
    'weak.keys': 'key "old" { algorithm hmac-md5; secret "c2VjcmV0"; };\n',
    'good.keys': 'key "one" { algorithm hmac-sha256; secret "c2VjcmV0c2VjcmV0c2VjcmV0"; };\n',
    'peers.yaml': 'zones:\n  one.test: { allow-transfer: [secnd] }\npeers:\n  second: { address: 192.0.2.1 }\n',
    'keys.yaml': 'keys: [good.keys]\npeers:\n  second: { address: 192.0.2.1, key: oen }\n',
    'twice.yaml': 'keys: [good.keys]\n'
  })
  const at = (name: string): string => join(root, name)
  const cases: [argv: string[], status: number, line: RegExp][] = [
    [['--tsig-keys', at('none.keys')], 2, /^nearcast: --tsig-keys: there is no file \S+none\.keys\n$/],
    [['--tsig-keys', at('empty.keys')], 2, /^nearcast: --tsig-keys \S+: no key is in it \(tsig-keygen writes one\)\n$/],
    [['--tsig-keys', at('weak.keys')], 1, /weak\.keys:1:\d+: hmac-md5 is too weak to be taken/],
    [['--config', at('none.yaml')], 2, /^nearcast: --config: there is no file/],
    [['--config', at('peers.yaml')], 1, /peers\.yaml:2:\d+: zones\.one\.test\.allow-transfer: there is no peer secnd \(did you mean second\?\)\n$/],
    [['--config', at('keys.yaml')], 1, /keys\.yaml:3:\d+: peers\.second\.key: there is no key oen \(did you mean one\?\)\n$/],
    [['--config', at('twice.yaml'), '--tsig-keys', at('good.keys')], 2, /key one\. is among the keys of \S+twice\.yaml already/],
    [['--tsig-kyes', at('good.keys')], 2, /did you mean --tsig-keys\?/]
  ]
  for (const [argv, status, line] of cases) {
    const server = run(t, join(root, 'temporary'), '--zones', join(root, 'zones'), '--port', PORT, ...argv)
    t.equal(await server.ended, status)
    t.match(server.said.err, line)
    t.notMatch(server.said.err, /c2VjcmV0/, 'no secret is shown')
  }
})
