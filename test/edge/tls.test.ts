import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import t from 'tap'
import { ownTls } from '../../core/own-tls.ts'
import { issueCertificate, keepCertificates, makeAuthority } from '../../fleet/authority/index.ts'
import { authority, DAY, makeSecureEdge, now, put, shake, temporary, until } from './secure.ts'
import { configOf } from './workers.ts'

// TLS at the edge: whose certificate is shown, what becomes of files that change, handshakes; and the fleet's own authority.

const GET = 'GET / HTTP/1.1\r\nHost: d1.nearcast.test\r\n\r\n'

/** Names of the certificate that is shown. */
async function shownTo(port: number, servername: string): Promise<string> {
  const socket = await shake(port, servername, { rejectUnauthorized: false })
  socket.on('error', () => undefined)
  const { subjectaltname = '' } = socket.getPeerCertificate()
  socket.destroy()
  return subjectaltname
}

function readAll(socket: TLSSocket): Promise<string> {
  let text = ''
  socket.on('data', (piece: Buffer) => (text += piece.toString())).on('error', () => undefined)
  return new Promise((resolve) => socket.once('close', () => resolve(text)))
}

t.test('requests over TLS, one cut off, and noise', async (t) => {
  const folder = temporary(t)
  const { origin, port, httpPort } = await makeSecureEdge(t, folder, { https: put(folder, 'one', issueCertificate(authority, ['d1.nearcast.test'], now, now + DAY)) })
  const socket = await shake(port, 'd1.nearcast.test')
  const all = readAll(socket)
  socket.write(GET + GET.replace('Host', 'Connection: close\r\nHost'))
  const text = await all
  t.equal(text.match(/\r\n\r\nhello/g)?.length, 2)
  t.match(text, /X-Cache: Hit from nearcast/)
  origin.answers.set('/cut', { status: 200, fields: [], body: 'half of it', breakAfter: 4 })
  const cut = await shake(port, 'd1.nearcast.test')
  const half = readAll(cut)
  cut.write(GET.replace('/', '/cut'))
  t.match(await half, /\r\n\r\nhalf$/, 'a body that breaks off ends the connection and nothing else')
  await t.rejects(shake(httpPort, ''), 'TLS to the port without')
  await t.rejects(shake(port, 'd1.nearcast.test', { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' }), 'TLS 1.1')
  await t.rejects(shake(port, 'd1.nearcast.test', { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA' }), 'a cipher without forward secrecy')
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) (await shake(port, 'd1.nearcast.test', { minVersion: version, maxVersion: version })).destroy()
})

t.test('each distribution shows its own certificate; what changes is shown, what is broken changes nothing', async (t) => {
  const folder = temporary(t)
  const https = put(folder, 'all', issueCertificate(authority, ['d1.nearcast.test'], now, now + 30 * DAY))
  const d2 = put(folder, 'two', issueCertificate(authority, ['d2.nearcast.test'], now, now + 30 * DAY))
  const { port, said } = await makeSecureEdge(t, folder, { https, d2 })
  t.equal(await shownTo(port, 'd1.nearcast.test'), 'DNS:d1.nearcast.test')
  t.equal(await shownTo(port, 'd2.nearcast.test'), 'DNS:d2.nearcast.test')
  t.equal(await shownTo(port, 'D2.nearcast.test'), 'DNS:d2.nearcast.test')
  t.equal(await shownTo(port, 'unknown.test'), 'DNS:d1.nearcast.test', 'for strangers the one for all')
  t.equal(await shownTo(port, ''), 'DNS:d1.nearcast.test')
  const kept = await shake(port, 'd2.nearcast.test')
  put(folder, 'two', issueCertificate(authority, ['d2.nearcast.test', 'new.test'], now, now + 30 * DAY))
  await until('the new certificate', async () => (await shownTo(port, 'd2.nearcast.test')).endsWith('new.test'))
  writeFileSync(d2.certificate, 'no certificate at all')
  await until('the complaint', () => said().includes('two.pem: it holds no certificate in PEM; the last good certificate serves on'))
  t.match(await shownTo(port, 'd2.nearcast.test'), /new\.test$/)
  put(folder, 'two', { ...issueCertificate(authority, ['d2.nearcast.test'], now, now + DAY), key: issueCertificate(authority, ['x.test'], now, now + DAY).key })
  await until('the complaint', () => said().includes('two.key: the private key is not that of the certificate; the last good'))
  t.notMatch(said(), /PRIVATE/)
  rmSync(d2.key)
  await until('the complaint', () => said().includes('two.key: cannot be read: no such file or directory; the last good'))
  t.match(await shownTo(port, 'd2.nearcast.test'), /new\.test$/)
  put(folder, 'two', issueCertificate(authority, ['d2.nearcast.test'], now, now + DAY))
  put(folder, 'all', issueCertificate(authority, ['other.test'], now, now + DAY))
  await until('both mended', async () => (await shownTo(port, 'd2.nearcast.test')) === 'DNS:d2.nearcast.test' && (await shownTo(port, '')) === 'DNS:other.test')
  const all = readAll(kept)
  kept.write(GET.replace('Host', 'Connection: close\r\nHost'))
  t.match(await all, /hello/, 'connections live on')
})

t.test('half a handshake holds a place for so long and no longer', async (t) => {
  const folder = temporary(t)
  const { port } = await makeSecureEdge(t, folder, { https: { ...put(folder, 'one', issueCertificate(authority, ['d1.nearcast.test'], now, now + DAY)), 'handshake-timeout': '1s' }, http: { 'clients-per-address': 3 } })
  const held = Array.from({ length: 3 }, () => connectPlain(port, '127.0.0.1').on('error', () => undefined))
  t.teardown(() => held.forEach((socket) => void socket.destroy()))
  await Promise.all(held.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
  // The beginning of a record, and nothing more.
  for (const socket of held) socket.write(Buffer.from([22, 3, 1, 2, 0, 1]))
  await t.rejects(shake(port, 'd1.nearcast.test'), 'no place is left')
  await until('a place', () => shake(port, 'd1.nearcast.test').then((socket) => !!socket.destroy(), () => false))
})

t.test('a session is resumed after a restart', async (t) => {
  const folder = temporary(t)
  mkdirSync(join(folder, 'tls'))
  writeFileSync(ownTls(folder).tickets, Buffer.alloc(48, 7))
  const https = put(folder, 'one', issueCertificate(authority, ['d1.nearcast.test'], now, now + DAY))
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const options = { minVersion: version, maxVersion: version }
    const before = await makeSecureEdge(t, folder, { https })
    const first = await shake(before.port, 'd1.nearcast.test', options)
    const session = new Promise<Buffer>((resolve) => first.once('session', resolve))
    first.resume().write(GET)
    // With TLS 1.2 it came with the handshake.
    const ticket = version === 'TLSv1.2' ? first.getSession()! : await session
    first.destroy()
    const after = await makeSecureEdge(t, folder, { https })
    const second = await shake(after.port, 'd1.nearcast.test', { ...options, session: ticket })
    t.equal(second.isSessionReused(), true, version)
    second.destroy()
  }
})

t.test('the fleet is its own authority where no certificate is named', async (t) => {
  const folder = temporary(t)
  const config = configOf({ https: {}, edges: { icn: { address: ['127.0.0.1', '::1'], city: 'Seoul', at: [37, 126] } }, origins: { main: { url: 'http://127.0.0.1:1' } }, distributions: { d1: { behaviours: [{ path: '/*', origin: 'main' }] }, d2: { behaviours: [{ path: '/*', origin: 'main' }] } } })
  const files = ownTls(folder)
  const read = (): string[] => [files.authority, files.certificate, files.tickets].map((path) => readFileSync(path, 'latin1'))
  keepCertificates(folder, config, now)
  for (const path of Object.values(files)) t.equal(statSync(path).mode & 0o777, 0o600, path)
  t.equal(statSync(join(folder, 'tls')).mode & 0o777, 0o700)
  const made = read()
  t.same(keepCertificates(folder, config, now), [], 'what is good is left alone')
  t.same(read(), made)
  const { port } = await makeSecureEdge(t, folder, {})
  const socket = await shake(port, 'd2.nearcast.test', { ca: made[0]! })
  t.ok(socket.authorized)
  socket.destroy()
  const direct = await shake(port, '', { ca: made[0]! })
  t.ok(direct.authorized, 'by its address')
  direct.destroy()
  const renewed = keepCertificates(folder, config, now + 61 * DAY)
  t.equal(renewed.length, 1, 'the certificate is made anew a month before it ends')
  t.equal(read()[0], made[0], 'by the same authority')
  t.not(read()[1], made[1])
  const more = configOf({ ...JSON.parse(JSON.stringify({ domain: 'nearcast.test' })), https: {}, origins: { main: { url: 'http://127.0.0.1:1' } }, distributions: { d1: { aliases: ['new.test'], behaviours: [{ path: '/*', origin: 'main' }] } } })
  t.equal(keepCertificates(folder, more, now).length, 1, 'and for a name that is new')
  writeFileSync(files.key, 'damaged')
  t.equal(keepCertificates(folder, more, now).length, 1)
  const late = keepCertificates(folder, more, now + 3300 * DAY)
  t.equal(late.length, 2, 'an authority that is about to end takes its certificate with it')
  utimesSync(files.tickets, (now - 2 * DAY) / 1000, (now - 2 * DAY) / 1000)
  const tickets = read()[2]
  keepCertificates(folder, more, now)
  t.not(read()[2], tickets, 'tickets are sealed anew each day')
})

t.test('other programs take the certificates', { skip: spawnSync('openssl', ['version']).status === 0 ? false : 'needs openssl' }, async (t) => {
  const folder = temporary(t)
  const root = makeAuthority('Nearcast authority x.test', now, now + 20_000 * DAY)
  const { certificate } = put(folder, 'leaf', issueCertificate(root, ['a'.repeat(63) + '.example.test', '*.example.test', '192.0.2.1', '2001:db8::1'], now, now + 90 * DAY))
  writeFileSync(join(folder, 'ca.pem'), root.certificate)
  const { stdout, stderr } = spawnSync('openssl', ['verify', '-x509_strict', '-purpose', 'sslserver', '-verify_ip', '2001:db8::1', '-CAfile', join(folder, 'ca.pem'), certificate], { encoding: 'utf8' })
  t.equal(stdout, `${certificate}: OK\n`, stderr)
})
