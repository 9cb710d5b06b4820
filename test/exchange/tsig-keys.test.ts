import { createHash } from 'node:crypto'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { findProgram, nearcast, until } from './secondaries.ts'

// Files of TSIG keys that change while the server runs, with dig for whoever signs.

t.setTimeout(120_000)

const PORT = 11640
const skip = findProgram('dig') === undefined ? 'dig not installed' : false
const secret = (of: string): string => createHash('sha256').update(of).digest('base64')
const text = (...keys: [name: string, of: string][]): string => keys.map(([name, of]) => `key "${name}" { algorithm hmac-sha256; secret "${secret(of)}"; };\n`).join('')
const zone = `$TTL 300
@ SOA ns1 hostmaster 1 3600 600 604800 60
@ NS ns1
ns1 A 127.0.0.1
text TXT "one"
`
/** Enough that a client which does not read has most of it still to come. */
const large = `${zone}${Array.from({ length: 60_000 }, (_, index) => `host${index} TXT "${'x'.repeat(200)}"\n`).join('')}`

const digs = (name: string, of: string): string[] => ['+tries=1', '+time=5', '@127.0.0.1', '-p', String(PORT), '-y', `hmac-sha256:${name}:${secret(of)}`]
const dig = (name: string, of: string, ...words: string[]): string => spawnSync('dig', [...digs(name, of), ...words], { encoding: 'utf8' }).stdout
const asks = (name: string, of = name): string => {
  const said = dig(name, of, 'text.small.test', 'TXT')
  return `${/status: (\w+)/.exec(said)?.[1]} ${/TSIG.*\b(BADKEY|BADSIG)\b/.exec(said)?.[1] ?? ''}`.trim()
}
const has = (name: string): boolean => dig(name, name, 'small.test', 'AXFR').includes('XFR size: 5 records')

t.test('keys are taken anew when their files change', { skip, timeout: 500_000 }, async (t) => {
  const root = t.testdir({
    zones: { 'small.test.zone': zone, 'large.test.zone': large },
    'own.keys': text(['own', 'own'], ['old', 'old']), 'peer.keys': text(['peer', 'peer']),
    'nearcast.yaml': `keys: [peer.keys]
dns: { listen: [127.0.0.1], threads: 1, cookies: off }
peers: { second: { address: 127.0.0.1, port: 9, key: peer } }
zones: { small.test: { allow-transfer: [second] } }
`
  })
  const server = nearcast(t, 'dns', '--port', String(PORT), '--zones', join(root, 'zones'), '--config', join(root, 'nearcast.yaml'), '--tsig-keys', join(root, 'own.keys'))
  t.teardown(() => server.stop())
  const own = (to: string): void => writeFileSync(join(root, 'own.keys'), to)
  const told = (pattern: RegExp): Promise<boolean> => until(() => pattern.test(server.said()))
  t.ok(await told(/serving /))
  t.same([asks('own'), asks('peer'), asks('new')], ['NOERROR', 'NOERROR', 'NOTAUTH BADKEY'])
  t.same([has('own'), has('old'), has('peer')], [true, true, true])

  // A transfer that waits for its client while its key goes.
  const slow = spawn('dig', [...digs('old', 'old'), 'large.test', 'AXFR'], { stdio: ['ignore', 'pipe', 'ignore'] })
  t.teardown(() => slow.kill('SIGKILL'))
  let whole = ''
  const [first] = (await once(slow.stdout, 'data')) as [Buffer]
  whole += first.toString()
  slow.stdout.pause()
  own(text(['own', 'other'], ['new', 'new']))
  t.ok(await told(/TSIG keys in force: 3; new: new\.; changed: own\.; gone: old\./))
  t.same([asks('new'), asks('own', 'other'), asks('own'), asks('old'), asks('peer')], ['NOERROR', 'NOERROR', 'NOTAUTH BADSIG', 'NOTAUTH BADKEY', 'NOERROR'])
  t.same([has('new'), has('old'), has('peer')], [true, false, true], 'a new key may have every zone, one that is gone none')
  slow.stdout.on('data', (chunk: Buffer) => (whole = (whole + chunk.toString()).slice(-2000)))
  slow.stdout.resume()
  await once(slow, 'close')
  t.match(whole, /XFR size: 60005 records/, 'a transfer under way comes to its end')
  t.notMatch(whole, /verify fail/i)

  own(`${text(['own', 'other'])}key "half" { algorithm hmac-sha256; secret "${secret('half')}" };\n`)
  t.ok(await told(/own\.keys:2:\d+: expected ; after the value of secret; the keys before stay in force/))
  t.same([asks('new'), asks('half')], ['NOERROR', 'NOTAUTH BADKEY'], 'a file with a fault changes nothing')
  own('')
  t.ok(await told(/own\.keys:1:1: is empty; the keys before stay in force/))
  t.equal(asks('new'), 'NOERROR')

  own(text(['new', 'new']))
  t.ok(await told(/TSIG keys in force: 2; gone: own\./))
  writeFileSync(join(root, 'peer.keys'), '# none any more\n')
  t.ok(await told(/TSIG keys in force: 1; gone: peer\.[^]*key peer\. is in no key file any more/))
  t.same([asks('peer'), has('peer'), asks('new')], ['NOTAUTH BADKEY', false, 'NOERROR'])
  for (const of of ['own', 'old', 'new', 'other', 'half', 'peer']) t.notOk(server.said().includes(secret(of).slice(0, 12)), 'no secret is in the log')
})
