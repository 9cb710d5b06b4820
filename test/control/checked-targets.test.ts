import { execFile, execFileSync, fork, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { createServer as createHttp2, type ServerHttp2Stream } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { createServer as createTcp, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer as createTls } from 'node:tls'
import { fileURLToPath } from 'node:url'
import packet from 'dns-packet'
import t from 'tap'
import type { FromProcess, Setup, ToProcess } from '../../core/channel.ts'
import { parseConfig } from '../../core/config-file.ts'
import { formatFault } from '../../core/trouble.ts'
import type { Explanation } from '../../daemon/control/api.ts'
import { writeMmdb } from '../geodb/mmdb-writer.ts'

// A real daemon with a target behind each kind of check, each answered by a real server of its protocol; and dig.

const PLAIN = '127.0.0.1'
const EDGE = '127.0.90.1'
const skip = spawnSync('dig', ['-v']).error !== undefined ? 'dig is not installed' : spawnSync('openssl', ['version']).status !== 0 ? 'openssl is not installed' : false

const folder = mkdtempSync(join(tmpdir(), 'nearcast-targets-'))
const at = (name: string): string => join(folder, name)
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
let isWell = true

async function listen(server: Pick<Server, 'listen' | 'once' | 'address' | 'close' | 'on'>): Promise<number> {
  server.on('connection', (socket: { on(event: 'error', run: () => void): void; destroy(): void }) => {
    socket.on('error', () => undefined)
    t.teardown(() => socket.destroy())
  })
  server.listen(0, PLAIN)
  await once(server as Server, 'listening')
  t.teardown(() => void server.close())
  return (server.address() as AddressInfo).port
}

/** Two certificates of one authority: one for 30 days, and one that ends in two. */
function certificates(): { readonly key: string; readonly good: string; readonly ending: string } {
  const openssl = (...words: string[]): void => void execFileSync('openssl', words, { stdio: 'pipe', cwd: folder })
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  openssl('req', '-x509', ...fresh, '-days', '60', '-subj', '/CN=Test authority', '-keyout', 'ca.key', '-out', 'ca.pem')
  openssl('req', ...fresh, '-subj', '/CN=www.shop.test', '-keyout', 'key.pem', '-out', 'csr.pem')
  writeFileSync(at('ext'), 'subjectAltName=DNS:www.shop.test\n')
  for (const [name, days] of [['good', '30'], ['ending', '2']]) openssl('x509', '-req', '-in', 'csr.pem', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', days!, '-extfile', 'ext', '-out', `${name}.pem`)
  const read = (name: string): string => readFileSync(at(name), 'utf8')
  return { key: read('key.pem'), good: read('good.pem'), ending: read('ending.pem') }
}

/** Every check by its name, as nearcast.yaml has it, with its server behind it. */
async function openServers(): Promise<Record<string, string>> {
  const { key, good, ending } = certificates()
  const words = (): string => (isWell ? 'all systems go' : 'maintenance')
  const page = await listen(createHttp((request, response) => (request.url === '/metrics' ? response.end(`load ${isWell ? 0.4 : 2.5}\n`) : response.writeHead(isWell ? 200 : 503).end(words()))))
  const secure = await listen(createHttps({ key, cert: good }, (_, response) => response.end(words())))
  const mail = await listen(createTcp((socket) => socket.end(isWell ? '220 mail ESMTP\r\n' : '421 closing\r\n')))
  const shaking = createTls({ key, cert: good }, (socket) => socket.on('error', () => undefined))
  const shake = await listen(shaking)
  turnCertificate = () => shaking.setSecureContext({ key, cert: isWell ? good : ending })
  const calls = createHttp2()
  calls.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('data', () => undefined)
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, isWell ? 1 : 2]))
  })
  const rpc = await listen(calls as unknown as Server)
  const dns = createSocket('udp4')
  dns.on('message', (query, from) => {
    const { id, questions = [] } = packet.decode(query)
    dns.send(packet.encode({ type: 'response', ...(id !== undefined && { id }), questions, answers: [{ name: questions[0]!.name, type: 'A', ttl: 1, data: isWell ? '192.0.2.7' : '192.0.2.8' }] }), from.port, from.address)
  })
  await new Promise<void>((resolve) => dns.bind(0, PLAIN, resolve))
  t.teardown(() => void dns.close())
  const tls = `server-name: www.shop.test, authority: ${at('ca.pem')}, days: 7`
  return {
    web: `{ http: /, port: ${page}, text: all systems go }`,
    secure: `{ https: /, port: ${secure}, ${tls}, text: all systems }`,
    mail: `{ tcp: ${mail}, pattern: "^220 .*ESMTP" }`,
    shake: `{ tls: ${shake}, ${tls} }`,
    name: `{ dns: { name: www.example.test, answer: 192.0.2.7 }, port: ${dns.address().port} }`,
    rpc: `{ grpc: shop.Cart, port: ${rpc} }`,
    script: `{ exec: [/bin/sh, -c, 'test -e ${at('well')} || { echo the disk is full; exit 3; }'] }`,
    busy: `{ metrics: /metrics, port: ${page}, load: load, most: 1 }`,
    two: '{ of: [web, secure, mail], at-least: 2 }',
    not: `{ http: /, port: ${page}, inverted: true }`,
    off: `{ http: /, port: 1, disabled: true }`
  }
}
let turnCertificate = (): void => undefined

async function startDaemon(checks: Readonly<Record<string, string>>): Promise<Setup['ports']> {
  const names = Object.keys(checks)
  for (const part of ['zones', 'state']) mkdirSync(at(part))
  writeFileSync(at('places.mmdb'), writeMmdb([['1.0.0.0/8', { country: { iso_code: 'KR' } }]], { ipVersion: 6 }))
  writeFileSync(at('zones/shop.test.zone'), `$ORIGIN shop.test.\n$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 604800 60\n@ NS ns1\nns1 A 127.0.0.1\n${names.map((name) => `${name} 20 ROUTE ${name}\n`).join('')}`)
  writeFileSync(at('zones/policies.yaml'), `policies:\n${names.map((name) => `  ${name}: { failover: [ { address: ${PLAIN}, check: ${name} }, icn ] }\n`).join('')}`)
  const rows = Object.entries(checks).map(([name, check]) => `  ${name}: ${name === 'two' ? check : check.replace('{', '{ every: "* * * * * *", timeout: 20s, connect: 20s, ')}\n`)
  const { config, faults } = parseConfig('nearcast.yaml', `geo: { database: ${at('places.mmdb')} }\ndns: { listen: [127.0.0.1], threads: 1 }\nchecks:\n  hold-down: 100ms\n${rows.join('')}edges:\n  icn: { address: ${EDGE}, city: Seoul, at: [37.46, 126.44], check: "off" }\n`)
  if (config === undefined) throw new Error(faults.map(formatFault).join('\n'))
  const ports = { dns: await sparePort(), http: 1, admin: await sparePort() }
  const setup: Setup = { role: 'daemon', name: 'daemon', config, ports, stateFolder: at('state'), zonesFolder: at('zones'), zonesLabel: 'zones', tierSecret: '0'.repeat(64), adminToken: 'token', readable: false }
  const child = fork(fileURLToPath(new URL('../../daemon/main.js', import.meta.url)), [], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let log = ''
  child.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()))
  t.teardown(() => {
    if (!t.passing()) t.comment(`the daemon said:\n${log}`)
    child.kill('SIGKILL')
  })
  child.send({ kind: 'setup', setup } satisfies ToProcess)
  await new Promise<void>((resolve, reject) => {
    child.on('message', (message: FromProcess) => {
      if (message.kind === 'ready') resolve()
      if (message.kind === 'refused') reject(new Error(message.reason))
    })
    child.once('exit', () => reject(new Error('the daemon ended')))
  })
  return ports
}

async function sparePort(): Promise<number> {
  const server = createTcp()
  const port = await new Promise<number>((resolve) => server.listen(0, PLAIN, () => resolve((server.address() as AddressInfo).port)))
  await new Promise((resolve) => server.close(resolve))
  return port
}

const dig = (port: number, names: readonly string[]): Promise<string[]> =>
  new Promise((resolve) => {
    execFile('dig', [`@${PLAIN}`, '-p', String(port), '+short', '+time=2', '+tries=1', ...names.map((name) => `${name}.shop.test`)], { encoding: 'utf8' }, (_, out) => resolve(out.trim().split('\n')))
  })

t.test('every kind of check takes a target out of the answers, and brings it back', { skip, timeout: 500_000 }, async (t) => {
  writeFileSync(at('well'), '')
  const checks = await openServers()
  const names = Object.keys(checks)
  const ports = await startDaemon(checks)
  const answers = async (wanted: (name: string) => string): Promise<void> => {
    const expected = names.map(wanted)
    let found: string[] = []
    for (let tries = 0; tries < 300; tries++) {
      found = await dig(ports.dns, names)
      if (found.join() === expected.join()) break
      await sleep(200)
    }
    t.same(Object.fromEntries(names.map((name, index) => [name, found[index]])), Object.fromEntries(names.map((name, index) => [name, expected[index]])))
  }
  await answers((name) => (name === 'not' ? EDGE : PLAIN))
  isWell = false
  turnCertificate()
  rmSync(at('well'))
  await answers((name) => (name === 'not' || name === 'off' ? PLAIN : EDGE))
  const why = async (name: string): Promise<string> => {
    const reply = await fetch(`http://${PLAIN}:${ports.admin}/v1/explain?name=${name}.shop.test`, { headers: { authorization: 'Bearer token' } })
    return ((await reply.json()) as Explanation).steps.find(({ text }) => text.startsWith(`${PLAIN}: `))?.text.replace(/ for [^:]*:/, ':') ?? ''
  }
  const reasons: Record<string, RegExp> = {
    web: /check web down: .*status 503$/, secure: /its answer has no "all systems"$/, mail: /its answer does not match \^220/, shake: /its certificate ends in (1 day|2 days)$/, name: /answers 192\.0\.2\.8$/,
    rpc: /NOT_SERVING$/, script: /exit status 3: the disk is full$/, busy: /load 2\.5 is above 1$/, two: /check two down: [01] of 3 pass, 2 needed; /
  }
  for (const [name, wanted] of Object.entries(reasons)) t.match(await why(name), wanted)
  isWell = true
  turnCertificate()
  writeFileSync(at('well'), '')
  await answers((name) => (name === 'not' ? EDGE : PLAIN))
  t.ok(existsSync(at('state/events.jsonl')))
  t.match(readFileSync(at('state/events.jsonl'), 'utf8'), /"shake@127\.0\.0\.1"[^\n]*ends in/, 'and the journal has it')
})
