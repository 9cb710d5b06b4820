import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { RCODE, type TsigKey } from '../../daemon/wire/index.ts'
import { linesOf, SOA } from './bench.ts'
import { updateMessage } from './messages.ts'
import { says } from '../exchange/servers.ts'
import { hasProgram, KEY, KEY_TEXT, LAUNCH, runServer, sendUpdate, startServer, transferOf, type Launch } from './servers.ts'

// A real server, real clients, and ends without warning.

const ZONE = 'example.test.'
const add = (name: string, ttl = 60): Uint8Array => updateMessage(ZONE, [], [{ name: `${name}.${ZONE}`, type: 'TXT', ttl, data: '"x"' }])
const PORT = 12530

/** Two keys: `all` may change all, `acme` what a certificate needs. */
const launch: Launch = (folder, origins, port) => {
  const command = LAUNCH.nearcast(folder, origins, port)
  writeFileSync(join(folder, 'keys'), KEY_TEXT + KEY_TEXT.replace('"all"', '"acme"').replace('key all', 'key "acme"'))
  writeFileSync(
    join(folder, 'nearcast.yaml'),
    `keys: [keys]\ndns: { threads: 1 }\nzones:\n  ${ZONE}:\n    allow-update:\n      - { key: all, types: [ANY] }\n      - { key: acme, names: [_acme-challenge, "_acme-challenge.*"], types: [TXT] }\n`
  )
  return command
}

async function run(command: string, input: string, ...argv: string[]): Promise<{ code: number; out: string }> {
  const child = spawn(command, argv, { stdio: 'pipe' })
  let out = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stdin.end(input)
  const [code] = (await once(child, 'close')) as [number]
  return { code, out }
}

for (const client of ['nsupdate', 'knsupdate'] as const) {
  t.test(`a certificate's challenge comes and goes by ${client}`, { skip: !(hasProgram(client) && hasProgram('dig')) && `${client} and dig are not installed`, timeout: 500_000 }, async (t) => {
    const folder = t.testdir({})
    const server = await startServer(launch, folder, new Map([[ZONE, SOA]]), PORT)
    t.teardown(() => server.end('SIGKILL'))
    const secret = /secret "([^"]+)/.exec(KEY_TEXT)![1]!
    writeFileSync(join(folder, 'acme.key'), KEY_TEXT.replace('"all"', '"acme"').replace('key all', 'key "acme"'))
    const dig = async (name: string): Promise<string> => (await run('dig', '', '@127.0.0.1', '-p', String(PORT), '+short', name, 'TXT')).out.trim()
    const script = (...lines: readonly string[]): string => [`server 127.0.0.1 ${PORT}`, `zone ${ZONE}`, ...lines, 'send', 'quit', ''].join('\n')
    const byKey = ['-y', `hmac-sha256:acme:${secret}`]
    const byFile = client === 'nsupdate' ? ['-k', join(folder, 'acme.key')] : byKey
    for (const argv of [byKey, byFile, ['-v', ...byKey]]) {
      const added = await run(client, script(`update add _acme-challenge.www.${ZONE} 60 TXT "token"`), ...argv)
      t.same(added, { code: 0, out: '' }, String(argv[0]))
      t.equal(await dig(`_acme-challenge.www.${ZONE}`), '"token"', 'answered as soon as it is acknowledged')
      t.same(await run(client, script(`update delete _acme-challenge.www.${ZONE} TXT`), ...argv), { code: 0, out: '' })
      t.equal(await dig(`_acme-challenge.www.${ZONE}`), '')
    }
    const other = await run(client, script(`update add www.${ZONE} 60 TXT "token"`), ...byKey)
    t.match(other.out, /REFUSED/, 'no more than its rule says')
    t.match((await run(client, script(`update add www.${ZONE} 60 TXT "token"`))).out, /REFUSED/, 'unsigned')
    t.match((await run(client, script(`update add www.${ZONE} 60 TXT "token"`), '-y', `hmac-sha256:acme:${Buffer.from('not the secret').toString('base64')}`)).out, /NOTAUTH|BADSIG/)
    await says(t, server, /update of example\.test\. by key acme\. from 127\.0\.0\.1: REFUSED: www\.example\.test\. TXT is not for the key acme/)
    t.notMatch(server.log(), secret, 'no secret in the log')
  })
}

t.test('what was acknowledged outlives kill -9 at any moment', { timeout: 500_000 }, async (t) => {
  const folder = t.testdir({})
  const acknowledged: string[] = []
  let server = await startServer(launch, folder, new Map([[ZONE, SOA]]), PORT)
  for (let round = 0; round < 3; round++) {
    const over = new AbortController()
    const senders = Array.from({ length: 4 }, async (_, sender) => {
      for (let count = 0; !over.signal.aborted; count++) {
        const name = `r${round}-${sender}-${count}`
        if ((await sendUpdate(server, add(name)).catch(() => -1)) === RCODE.NOERROR) acknowledged.push(name)
      }
    })
    // At some moment of much traffic, once some of it has been acknowledged.
    const enough = acknowledged.length + 5 + round * 4
    for (let tries = 0; tries < 2000 && acknowledged.length < enough; tries++) await sleep(10)
    over.abort()
    await server.end('SIGKILL')
    await Promise.all(senders)
    server = await runServer(launch, folder, [ZONE], PORT)
    const lines = linesOf(await transferOf(server, ZONE))
    const lost = acknowledged.filter((name) => !lines.includes(`${name}.${ZONE} 60 TXT "x"`))
    t.same(lost, [], `${acknowledged.length} acknowledged, ${lines.length - 3} served at serial ${lines[0]}`)
  }
  t.ok(acknowledged.length > 10)
  await server.end()
})

t.test('a message that comes twice is done once, and a full disk is SERVFAIL', { timeout: 500_000 }, async (t) => {
  const folder = t.testdir({ state: {} })
  // A small disk that only the server sees, and that ends with it.
  const isSmall = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', join(folder, 'state')]).status === 0
  const small: Launch = (...about) => ['unshare', '-m', 'sh', '-c', `mount -t tmpfs -o size=256k tmpfs '${folder}/state' && exec "$@"`, 'sh', ...launch(...about)]
  const server = await startServer(isSmall ? small : launch, folder, new Map([[ZONE, SOA]]), PORT)
  const state = `/proc/${server.child.pid}/root${folder}/state`
  t.teardown(() => server.end('SIGKILL'))
  const guard = updateMessage(ZONE, [{ name: `once.${ZONE}`, type: 'ANY', class: 'NONE' }], [{ name: `once.${ZONE}`, type: 'A', ttl: 60, data: '192.0.2.1' }])
  const stranger: TsigKey = { ...KEY, name: KEY.name.map((octet) => (octet === 97 ? 98 : octet)) }
  t.equal(await sendUpdate(server, guard, stranger), RCODE.NOTAUTH)
  const twice = await Promise.all([sendUpdate(server, guard), sendUpdate(server, guard)])
  t.same(twice, [RCODE.NOERROR, RCODE.NOERROR], 'the same octets get the same answer')
  t.equal(linesOf(await transferOf(server, ZONE))[0], '8', 'and one step of the serial')
  if (!isSmall) return t.comment('no small disk can be mounted here')
  mkdirSync(join(state, 'filler'))
  for (let file = 0; file < 100; file++) {
    try {
      writeFileSync(join(state, 'filler', String(file)), Buffer.alloc(4096))
    } catch {
      break
    }
  }
  const before = linesOf(await transferOf(server, ZONE))
  const rcodes: number[] = []
  // What is left of the journal's last page takes a few.
  for (let count = 0; count < 40; count++) rcodes.push(await sendUpdate(server, add(`full-${count}`)))
  t.equal(rcodes.at(-1), RCODE.SERVFAIL)
  const taken = rcodes.filter((rcode) => rcode === RCODE.NOERROR).length
  t.equal(linesOf(await transferOf(server, ZONE)).length, before.length + taken, 'what was refused is not served')
  await says(t, server, /SERVFAIL: .*could not be kept: the disk is full/)
  rmSync(join(state, 'filler'), { recursive: true })
  t.equal(await sendUpdate(server, add('again')), RCODE.NOERROR, 'with room again, it goes on')
})
