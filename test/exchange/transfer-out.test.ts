import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { dig, findProgram, nearcast, startSecondary, until, type Key } from './secondaries.ts'

// Zones that leave: to dig, and to Knot, NSD and BIND as secondaries, which must then answer as Nearcast does.

t.setTimeout(400_000)

const PORT = 11610
const PORTS = [11611, 11612, 11613] as const
const key = (name: string, algorithm: string, octets: number): Key => ({ name, algorithm, secret: createHash('sha512').update(name).digest().subarray(0, octets).toString('base64') })
const KEYS = { knot: key('to-knot', 'hmac-sha256', 32), nsd: key('to-nsd', 'hmac-sha512', 64) }

const head = (serial: number): string => `$TTL 300
@ SOA ns1 hostmaster ${serial} 3600 600 604800 60
@ NS ns1
ns1 A 127.0.0.1
`
/** Names of many shapes, so that there is more than one message. */
const plain = (serial: number, text: string): string => `${head(serial)}www A 192.0.2.2
www A 192.0.2.3
text TXT "${text}"
a.b.c CNAME www
*.wild MX 10 mail.example.net.
sub NS ns.sub
ns.sub A 192.0.2.9
hidden.sub TXT "beneath a delegation"
d DNAME www
big TXT ${Array.from({ length: 60 }, (_, index) => `"${String(index).repeat(100).slice(0, 200)}"`).join(' ')}
${Array.from({ length: 2000 }, (_, index) => `host${index} A 10.1.${index >>> 8}.${index & 255}`).join('\n')}
odd TYPE65534 \\# 4 01020304
`
const routed = (serial: number, extra = ''): string => `${head(serial)}www 20 ROUTE near
@ 30 ALIAS www
*.wild 20 ROUTE near
svc 60 HTTPS 1 www alpn=h2 ipv4hint=auto
cdn 60 CNAME www
plain TXT "plain"
${extra}`
const POLICIES = `policies:
  near: { geolocation: { KR: 192.0.2.10, US: { weighted: { 192.0.2.20: 3, 192.0.2.21: 1 } }, default: "2001:db8::30" } }
`
const CONFIG = `keys: [transfer.keys]
dns: { listen: [127.0.0.1], threads: 1, cookies: off }
geo: { local: KR }
peers:
  knot: { address: 127.0.0.22, port: 11611, key: to-knot, place: US }
  nsd: { address: 127.0.0.23, port: 11612, key: to-nsd, place: FR }
  bind: { address: 127.0.0.24, port: 11613 }
  tell-knot: { address: 127.0.0.1, port: 11611, key: to-knot }
  tell-nsd: { address: 127.0.0.1, port: 11612, key: to-nsd }
  tell-bind: { address: 127.0.0.1, port: 11613 }
zones:
  plain.test: { allow-transfer: [knot, nsd, bind], notify: [tell-knot, tell-nsd, tell-bind] }
  routed.test: { allow-transfer: [knot, nsd, bind, 127.0.0.1], notify: [tell-knot, tell-nsd, tell-bind] }
`

const missing = ['knotd', 'nsd', 'named', 'dig'].filter((name) => findProgram(name) === undefined)
const skip = missing.length > 0 ? `${missing.join(', ')} not installed` : false

async function start(t: Test, zones: Record<string, string>, ...more: string[]): Promise<{ root: string; log(): string }> {
  const root = t.testdir({
    zones: { ...zones, 'policies.yaml': POLICIES },
    'nearcast.yaml': CONFIG,
    'transfer.keys': Object.values(KEYS).map(({ name, algorithm, secret }) => `key "${name}" { algorithm ${algorithm}; secret "${secret}"; };\n`).join('')
  })
  const server = nearcast(t, 'dns', '--port', String(PORT), '--zones', join(root, 'zones'), ...(more.length > 0 ? more : ['--config', join(root, 'nearcast.yaml')]))
  t.teardown(() => server.stop())
  if (!(await until(() => server.said().includes('serving ')))) throw new Error(server.said())
  return { root, log: server.said }
}

function startAll(t: Test, zone: string): { have(serial: string): Promise<boolean> } {
  const plan = { zone, primary: PORT }
  const programs = [
    startSecondary(t, 'knotd', { ...plan, port: PORTS[0], source: '127.0.0.22', key: KEYS.knot }),
    startSecondary(t, 'nsd', { ...plan, port: PORTS[1], source: '127.0.0.23', key: KEYS.nsd }),
    startSecondary(t, 'named', { ...plan, port: PORTS[2], source: '127.0.0.24' })
  ]
  return {
    have: async (serial) => {
      const all = await until(() => PORTS.every((port) => serialAt(port, zone) === serial))
      if (!all) for (const { said } of programs) t.comment(said())
      return all
    }
  }
}

const serialAt = (port: number, zone: string): string => dig(port, zone, 'SOA')[0]?.split(' ')[5] ?? ''

t.test('Knot, NSD and BIND take a zone whole, then what changed of it, and answer as we do', { skip, timeout: 500_000 }, async (t) => {
  const { root, log } = await start(t, { 'plain.test.zone': plain(1, 'one') })
  const secondaries = startAll(t, 'plain.test')
  t.ok(await secondaries.have('1'), 'they have the first version')
  const questions = [['www.plain.test', 'A'], ['a.b.c.plain.test', 'A'], ['x.wild.plain.test', 'MX'], ['big.plain.test', 'TXT'], ['odd.plain.test', 'TYPE65534'], ['x.d.plain.test', 'A'], ['host1999.plain.test', 'A'], ['text.plain.test', 'TXT'], ['new.plain.test', 'AAAA']]
  const compare = (when: string): void => {
    for (const words of questions) {
      const ours = dig(PORT, ...words, '+tcp').sort()
      for (const port of PORTS) t.same(dig(port, ...words, '+tcp').sort(), ours, `${when}: ${words.join(' ')} at ${port}`)
    }
  }
  compare('at first')
  writeFileSync(join(root, 'zones/plain.test.zone'), `${plain(2, 'two').replace('www A 192.0.2.3\n', '')}new AAAA 2001:db8::1\n`)
  t.ok(await secondaries.have('2'), 'they have the second version')
  compare('after an edit')
  t.same(dig(PORT, 'text.plain.test', 'TXT'), ['text.plain.test. 300 TXT "two"'])
  t.ok(await until(() => [...log().matchAll(/has been given plain\.test\. whole/g)].length === 3), 'each took it whole once')
  t.ok(await until(() => [...log().matchAll(/has been given plain\.test\. 1 step from serial 1/g)].length === 3), 'and then one step')
})

t.test('routed names leave as what the place of each peer is answered with', { skip, timeout: 500_000 }, async (t) => {
  const { root, log } = await start(t, { 'routed.test.zone': routed(1) })
  const secondaries = startAll(t, 'routed.test')
  const places: [port: number, subnet: string, address: string, type: string][] = [[11611, '8.8.8.8/24', '192.0.2.20', 'A'], [11612, '194.2.0.20/24', '2001:db8::30', 'AAAA'], [11613, '127.0.0.1/32', '192.0.2.10', 'A']]
  t.ok(await secondaries.have('1'), 'they have the zone')
  for (const [port, subnet, address, type] of places) {
    t.same(dig(port, 'www.routed.test', type), [`www.routed.test. 20 ${type} ${address}`], `at ${port}`)
    t.same(dig(port, 'routed.test', type), [`routed.test. 20 ${type} ${address}`], 'an ALIAS is what it leads to, for no longer than that holds')
    t.same(dig(port, 'any.wild.routed.test', type), [`any.wild.routed.test. 20 ${type} ${address}`], 'a wildcard stays one')
    const hint = type === 'A' ? ` ipv4hint=${address}` : ''
    t.same(dig(port, 'svc.routed.test', 'TYPE65'), [`svc.routed.test. ${type === 'A' ? 20 : 60} HTTPS 1 www.routed.test. alpn="h2"${hint}`], 'hints are filled in, where there is something to fill in')
    const other = type === 'A' ? 'AAAA' : 'A'
    t.same(dig(port, 'www.routed.test', other), dig(PORT, 'www.routed.test', other, `+subnet=${subnet}`), 'the other family too is as there')
  }
  t.notMatch(dig(PORT, 'routed.test', 'AXFR').join('\n'), /TYPE24[01]/, 'no pseudo type leaves')
  writeFileSync(join(root, 'zones/routed.test.zone'), routed(2, 'more A 192.0.2.77\n').replace('@ 30 ALIAS www\n', '@ 30 A 192.0.2.88\n').replace(/^svc.*\n/m, ''))
  t.ok(await secondaries.have('2'), 'they have the second version')
  for (const [port] of places) t.same(dig(port, 'more.routed.test', 'A'), ['more.routed.test. 300 A 192.0.2.77'])
  t.notMatch(log(), /routed\.test\. \d+ steps? from serial 1/, 'a change of what is steered is told as a whole')
  writeFileSync(join(root, 'zones/routed.test.zone'), routed(3, 'more A 192.0.2.78\n').replace('@ 30 ALIAS www\n', '@ 30 A 192.0.2.88\n').replace(/^svc.*\n/m, ''))
  t.ok(await secondaries.have('3'), 'they have the third version')
  t.ok(await until(() => [...log().matchAll(/routed\.test\. 1 step from serial 2/g)].length === 3), 'any other step as a step')
  for (const [port, , address, type] of places) t.same(dig(port, 'www.routed.test', type), [`www.routed.test. 20 ${type} ${address}`], 'and what is steered stays')
  writeFileSync(join(root, 'zones/policies.yaml'), POLICIES.replace('KR: 192.0.2.10', 'KR: 192.0.2.11').replace('192.0.2.20: 3', '192.0.2.25: 3').replace('2001:db8::30', '2001:db8::31'))
  t.ok(await until(() => dig(PORT, 'www.routed.test', 'A', '+subnet=127.0.0.1/32').includes('www.routed.test. 20 A 192.0.2.11')), 'other policies')
  writeFileSync(join(root, 'zones/routed.test.zone'), routed(4, 'more A 192.0.2.78\n').replace('@ 30 ALIAS www\n', '@ 30 A 192.0.2.88\n').replace(/^svc.*\n/m, ''))
  t.ok(await secondaries.have('4'), 'they have the fourth version')
  for (const [port, address, type] of [[11611, '192.0.2.25', 'A'], [11612, '2001:db8::31', 'AAAA'], [11613, '192.0.2.11', 'A']] as const) {
    t.same(dig(port, 'www.routed.test', type), [`www.routed.test. 20 ${type} ${address}`], `what is steered by them, once the serial rises, at ${port}`)
  }
})

const digText = (...words: string[]): string => spawnSync('dig', ['+tries=3', '+time=5', '@127.0.0.1', '-p', String(PORT), ...words], { encoding: 'utf8' }).stdout
const answersIn = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith(';') && !line.includes('TSIG'))
const signedWith = ({ algorithm, name, secret }: Key): string[] => ['-y', `${algorithm}:${name}:${secret}`]

t.test('dig transfers and asks, signed and not', { skip, timeout: 500_000 }, async (t) => {
  const own: Key = key('lab', 'hmac-sha384', 48)
  const root = t.testdir({ 'own.keys': `key "${own.name}" { algorithm ${own.algorithm}; secret "${own.secret}"; };\n`, zones: { 'plain.test.zone': plain(1, 'one') } })
  const server = nearcast(t, 'dns', '--port', String(PORT), '--zones', join(root, 'zones'), '--tsig-keys', join(root, 'own.keys'))
  t.teardown(() => server.stop())
  t.ok(await until(() => server.said().includes('serving ')))
  t.match(digText('plain.test', 'AXFR'), /Transfer failed/, 'nobody has a zone without a key')
  const whole = digText('plain.test', 'AXFR', ...signedWith(own))
  t.match(whole, /XFR size: 2015 records \(messages [2-9],/, 'who signs has it, in many messages')
  t.notMatch(whole, /verify|failed/i, 'each signed as dig wants it')
  t.match(digText('plain.test', 'AXFR', ...signedWith({ ...own, secret: KEYS.knot.secret })), /BADSIG|Transfer failed/)
  t.match(digText('text.plain.test', 'TXT', ...signedWith(own)), /status: NOERROR[^]*"one"[^]*TSIG[^]*NOERROR/, 'a signed query has a signed answer')
  t.match(digText('text.plain.test', 'TXT', ...signedWith({ ...own, secret: KEYS.knot.secret })), /NOTAUTH[^]*BADSIG/, 'one that is signed wrongly has none')
  t.match(digText('text.plain.test', 'TXT', ...signedWith({ ...own, name: 'other' })), /NOTAUTH[^]*BADKEY/, 'nor with a key that is not known')
  writeFileSync(join(root, 'zones/plain.test.zone'), plain(2, 'two'))
  t.ok(await until(() => serialAt(PORT, 'plain.test') === '2'))
  t.equal(answersIn(digText('plain.test', 'IXFR=1', ...signedWith(own))).length, 6, 'what changed: four SOA, one record less, one more')
  t.equal(answersIn(digText('plain.test', 'IXFR=1', '+notcp', ...signedWith(own))).length, 6, 'over UDP too, where it fits')
  t.equal(answersIn(digText('plain.test', 'IXFR=2', ...signedWith(own))).length, 1, 'nothing')
  t.equal(answersIn(digText('plain.test', 'IXFR=3', ...signedWith(own))).length, 1, 'nor for who is ahead')
  t.equal(answersIn(digText('plain.test', 'IXFR=0', ...signedWith(own))).length, 2015, 'what is not known any more comes whole')
  t.equal(answersIn(digText('plain.test', 'IXFR=0', '+notcp', ...signedWith(own))).length, 1, 'but over UDP only by its SOA')
})

t.test('in a lab loopback transfers without a key', { skip, timeout: 500_000 }, async (t) => {
  await start(t, { 'plain.test.zone': plain(1, 'one') }, '--lab')
  t.match(digText('plain.test', 'AXFR'), /XFR size: 2015 records/)
  t.equal(answersIn(digText('plain.test', 'IXFR=0', '+notcp')).length, 1, 'and over UDP no more than a SOA goes to an address that may be forged')
})
