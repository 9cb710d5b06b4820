import { execFileSync, fork, type ChildProcess } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import type { FromProcess, Setup, ToProcess } from '../../core/channel.ts'
import { parseConfig } from '../../core/config-file.ts'

// The daemon as its supervisor starts it, asked with dig.

const ZONE = `$ORIGIN shop.test.
$TTL 300
@ SOA ns1 hostmaster 1 3600 600 604800 60
@ NS ns1
ns1 A 127.0.0.1
www 20 ROUTE near
text TXT "one"
`
const POLICIES = 'policies:\n  near: { failover: [icn, fra] }\n'
const CONFIG = `dns: { listen: [127.0.0.1, "::1"], threads: 2 }
edges:
  icn: { address: 127.0.43.1, city: Seoul, at: [37.46, 126.44] }
  fra: { address: 127.0.43.2, city: Frankfurt, at: [50.03, 8.56] }
`
const ports = { dns: 11310, http: 11311, admin: 11312 }
const hasDig = ['/usr/bin/dig', '/usr/local/bin/dig'].some((path) => existsSync(path))

interface Daemon {
  readonly child: ChildProcess
  readonly ready: Extract<FromProcess, { kind: 'ready' }>
  /** Everything it has logged. */
  log(): string
  stop(): Promise<number | null>
}

async function startDaemon(t: Test, root: string): Promise<Daemon> {
  const { config } = parseConfig('nearcast.yaml', CONFIG)
  const setup: Setup = {
    role: 'daemon', name: 'daemon', config: config!, ports, stateFolder: join(root, 'state'), zonesFolder: join(root, 'zones'), zonesLabel: 'zones',
    tierSecret: '0'.repeat(64), adminToken: 'token', readable: false
  }
  const child = fork(fileURLToPath(new URL('../../daemon/main.js', import.meta.url)), [], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let log = ''
  child.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()))
  t.teardown(() => child.kill('SIGKILL'))
  const ready = new Promise<Daemon['ready']>((resolve, reject) => {
    child.on('message', (message: FromProcess) => {
      if (message.kind === 'ready') resolve(message)
      if (message.kind === 'refused') reject(new Error(message.reason))
    })
    child.once('exit', () => reject(new Error(`the daemon ended: ${log}`)))
  })
  child.send({ kind: 'setup', setup } satisfies ToProcess)
  const stop = async (): Promise<number | null> => {
    const ended = once(child, 'exit')
    child.send({ kind: 'stop', withinMs: 5000 } satisfies ToProcess)
    return (await ended)[0] as number | null
  }
  return { child, ready: await ready, log: () => log, stop }
}

function makeRoot(t: Test): string {
  const root = mkdtempSync(join(tmpdir(), 'nearcast-daemon-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  for (const folder of ['zones', 'state']) mkdirSync(join(root, folder))
  writeFileSync(join(root, 'zones/shop.test.zone'), ZONE)
  writeFileSync(join(root, 'zones/policies.yaml'), POLICIES)
  return root
}

const dig = (...words: string[]): string => execFileSync('dig', ['+time=5', '+tries=3', '-p', String(ports.dns), '@127.0.0.1', ...words], { encoding: 'utf8' })
const short = (...words: string[]): string => dig('+short', ...words).trim()

async function until(what: () => boolean | Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 600; tries++) {
    if (await what()) return true
    await sleep(50)
  }
  return false
}

async function admin(path: string, body?: object): Promise<Record<string, unknown>> {
  const headers = { authorization: 'Bearer token', 'content-type': 'application/json' }
  const response = await fetch(`http://127.0.0.1:${ports.admin}${path}`, body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) })
  return (await response.json()) as Record<string, unknown>
}

t.test('the daemon answers, follows its files, and keeps what was good', { skip: hasDig ? false : 'dig is not installed', timeout: 500_000 }, async (t) => {
  const healthy = await Promise.all(
    ['127.0.43.1', '127.0.43.2'].map(async (address) => {
      const server = createServer((_request, response) => response.end('ok')).listen(ports.http, address)
      await once(server, 'listening')
      return server
    })
  )
  t.teardown(() => healthy.forEach((server) => server.close().closeAllConnections()))
  const root = makeRoot(t)
  const zone = join(root, 'zones/shop.test.zone')
  const daemon = await startDaemon(t, root)

  t.match(daemon.ready.listening, ['127.0.0.1:11310/udp', '127.0.0.1:11310/tcp', '[::1]:11310/udp', '[::1]:11310/tcp', 'http://127.0.0.1:11312'])
  t.equal(short('www.shop.test'), '127.0.43.1')
  t.equal(short('+tcp', 'www.shop.test'), '127.0.43.1')
  t.equal(short('@::1', 'www.shop.test'), '127.0.43.1')
  t.match(dig('nothing.shop.test'), /status: NXDOMAIN[\s\S]*SOA/)
  t.match(dig('elsewhere.test'), /status: REFUSED/)

  // An edit, and a broken one.
  writeFileSync(zone, ZONE.replace('"one"', '"two"'))
  t.ok(await until(() => short('text.shop.test', 'TXT') === '"two"'), 'an edit is answered')
  writeFileSync(join(root, 'zones/policies.yaml'), 'policies:\n  near: { failover: [fra, icn] }\n')
  t.ok(await until(() => short('www.shop.test') === '127.0.43.2'), 'so is one of the policies')
  appendFileSync(zone, 'bad A 192.0.2\n')
  t.ok(await until(() => /zones\/shop\.test\.zone:8:7: A: .*\(.*\)/.test(daemon.log())), 'a fault is logged with its place, reason and hint')
  t.equal(short('text.shop.test', 'TXT'), '"two"')
  t.match(await admin('/v1/status'), { zones: [{ origin: 'shop.test.', file: 'zones/shop.test.zone', state: 'old' }], reload: { faults: [/shop\.test\.zone:8:7/] } })
  t.equal(await daemon.stop(), 0)

  // The file is still broken at the next start.
  const again = await startDaemon(t, root)
  t.match(again.ready.notes?.join('\n'), /shop\.test\. is served as it was/)
  t.equal(short('text.shop.test', 'TXT'), '"two"')
  writeFileSync(zone, '')
  t.ok(await until(() => again.log().includes('is empty')), 'an empty file is no edit')
  t.match(await admin('/v1/reload', {}), { zones: [{ state: 'last-good' }], faults: [/is empty/] })
  writeFileSync(zone, ZONE)
  t.match(await admin('/v1/reload', { force: true }), { zones: [{ origin: 'shop.test.', state: 'current' }], faults: [] })
  t.equal(short('text.shop.test', 'TXT'), '"one"')

  // Reloads under load: every query is answered.
  const lost = await askWhile(async () => {
    for (let edit = 0; edit < 8; edit++) {
      writeFileSync(zone, ZONE.replace('"one"', `"edit ${edit}"`))
      await admin('/v1/reload', {})
    }
  })
  t.equal(lost.lost, 0, `none of ${lost.sent} queries was lost over eight reloads`)
  t.equal(short('text.shop.test', 'TXT'), '"edit 7"')
  const status = (await admin('/v1/status')) as { queries: { total: number; perSecond: number; counters: Record<string, number> } }
  t.ok(status.queries.total >= lost.sent, 'queries are counted')
  t.ok(status.queries.perSecond > 0)
  t.ok(status.queries.counters['outcome found']! >= lost.sent)
  t.equal(await again.stop(), 0)
  t.notMatch(readFileSync(zone, 'utf8'), /"one"/, 'the daemon writes no zone')
})

/** Asks all the time while something happens; how many queries went unanswered. */
async function askWhile(work: () => Promise<void>): Promise<{ sent: number; lost: number }> {
  const query = Buffer.from('000000000001000000000000047465787404' + Buffer.from('shop').toString('hex') + '04' + Buffer.from('test').toString('hex') + '0000100001', 'hex')
  const sockets = Array.from({ length: 8 }, () => createSocket({ type: 'udp4', recvBufferSize: 1 << 20 }))
  const unanswered = new Set<number>()
  let sent = 0
  for (const socket of sockets) socket.on('message', (answer) => unanswered.delete(answer.readUInt16BE()))
  const ask = setInterval(() => {
    for (const socket of sockets) {
      if (unanswered.size > 2000) return
      query.writeUInt16BE(++sent & 0xffff)
      unanswered.add(sent & 0xffff)
      socket.send(Buffer.from(query), ports.dns, '127.0.0.1')
    }
  }, 1)
  await work()
  clearInterval(ask)
  await until(() => unanswered.size === 0)
  for (const socket of sockets) socket.close()
  return { sent, lost: unanswered.size }
}
