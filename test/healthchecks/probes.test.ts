import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer as createHttp, type RequestListener } from 'node:http'
import { createSecureServer, createServer as createHttp2, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { createServer as createTcp, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer as createTls, type Server as TlsServer } from 'node:tls'
import t from 'tap'
import { systemAfter, systemClock } from '../../core/clock.ts'
import { parseConfig } from '../../core/config-file.ts'
import { formatFault } from '../../core/trouble.ts'
import { planCheck, probe, type ProbeResult } from '../../healthchecks/index.ts'

// Each kind of probe against a real server of its protocol, as nearcast.yaml writes it.

const folder = mkdtempSync(join(tmpdir(), 'nearcast-probes-'))
const hasOpenssl = spawnSync('openssl', ['version']).status === 0
const ENVIRONMENT = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` }
const hasNamed = spawnSync('sh', ['-c', 'command -v named'], { env: ENVIRONMENT }).status === 0
const LONG = 'timeout: 20s, connect: 20s'

/** Runs the check `web` of a configuration once. @param text in braces, what the check is */
async function run(text: string, { addresses = ['127.0.0.1'], name = 'x' } = {}): Promise<ProbeResult> {
  const { config, faults } = parseConfig('nearcast.yaml', `checks:\n  web: ${text}\n`)
  if (config === undefined) throw new Error(faults.map(formatFault).join('\n'))
  const { what } = planCheck('web', config.checks.named, { name, addresses })
  if (!('probe' in what)) throw new Error('a calculated check')
  const { spec, timeoutMs, connectMs } = what.probe
  return probe(spec, { kind: 'full', timeoutMs, connectMs, clock: systemClock, after: systemAfter, signal: new AbortController().signal })
}

type AnyServer = Server | TlsServer | Http2Server
const opened: AnyServer[] = []

async function listen(server: AnyServer): Promise<number> {
  opened.push(server)
  server.on('connection', (socket: { on(event: string, run: () => void): void; destroy(): void }) => {
    socket.on('error', () => undefined)
    t.teardown(() => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
t.teardown(() => {
  for (const server of opened) server.close()
})

const page = (listener: RequestListener): Promise<number> => listen(createHttp(listener))

/** An authority and a certificate of it for www.example.test, good for so many days. */
function certificate(days: number): { key: string; cert: string; authority: string } {
  const at = (file: string): string => join(folder, `${days}-${file}`)
  const openssl = (...parameters: string[]): void => void execFileSync('openssl', parameters, { stdio: 'pipe' })
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '3650', '-subj', '/CN=Test authority', '-keyout', at('ca.key'), '-out', at('ca.pem'))
  openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=www.example.test', '-keyout', at('key.pem'), '-out', at('csr.pem'))
  writeFileSync(at('ext'), 'subjectAltName=DNS:www.example.test\n')
  openssl('x509', '-req', '-in', at('csr.pem'), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', String(days), '-extfile', at('ext'), '-out', at('cert.pem'))
  return { key: readFileSync(at('key.pem'), 'utf8'), cert: readFileSync(at('cert.pem'), 'utf8'), authority: at('ca.pem') }
}

t.test('http: what is asked, which statuses pass, and what must stand in the answer', async (t) => {
  const port = await page((request, response) => {
    const told = { method: request.method, host: request.headers.host, probe: request.headers['x-probe'] }
    response.writeHead(request.url === '/teapot' ? 418 : 200).end(request.method === 'HEAD' ? undefined : `${JSON.stringify(told)}${' '.repeat(6000)}late`)
  })
  t.match(await run(`{ http: /, port: ${port}, host: www.example.test, headers: { X-Probe: "1" }, text: '"host":"www.example.test","probe":"1"', ${LONG} }`), { passed: true, why: 'status 200' })
  t.match(await run(`{ http: /, port: ${port}, pattern: '"method":"(GET|POST)"', ${LONG} }`), { passed: true })
  t.match(await run(`{ http: /, port: ${port}, pattern: '^late$', ${LONG} }`), { passed: false, why: 'its answer does not match ^late$' })
  t.match(await run(`{ http: /, port: ${port}, text: late, ${LONG} }`), { passed: false, why: 'its answer has no "late"' }, 'only the first 5,120 octets are looked at')
  t.match(await run(`{ http: /teapot, port: ${port}, ${LONG} }`), { passed: false, why: 'status 418' })
  t.match(await run(`{ http: /teapot, port: ${port}, status: [200-299, 418], method: HEAD, ${LONG} }`), { passed: true, why: 'status 418' })
})

t.test('http: a pattern made to be slow costs no more than another', async (t) => {
  const port = await page((_, response) => response.end('a'.repeat(5120)))
  t.match(await run(`{ http: /, port: ${port}, pattern: '(a+)+(a|aa)*(a?){20}b$', ${LONG} }`), { passed: false, why: /does not match/ })
})

t.test('https: the name, the chain and the days that are left', { skip: hasOpenssl ? false : 'openssl is not installed' }, async (t) => {
  const { key, cert, authority } = certificate(30)
  const port = await listen(createHttps({ key, cert }, (_, response) => response.end('ok')))
  const secure = (more: string): Promise<ProbeResult> => run(`{ https: /, port: ${port}, ${more}, ${LONG} }`)
  t.match(await secure(`server-name: www.example.test, authority: ${authority}`), { passed: true, why: /^status 200, certificate good for (29|30) days$/ })
  t.match(await secure('server-name: www.example.test'), { passed: false, why: /^its certificate is (signed by itself|of no authority that is known here)/ }, 'an authority nobody knows')
  t.match(await secure(`server-name: other.example.test, authority: ${authority}`), { passed: false, why: 'its certificate is for www.example.test, and not for other.example.test' })
  t.match(await secure(`authority: ${authority}`), { passed: false, why: 'its certificate is for www.example.test, and not for 127.0.0.1' }, 'the address is not what it is for')
  t.match(await secure('verify: false'), { passed: true })
  t.match(await secure(`host: www.example.test, authority: ${authority}, days: 60`), { passed: false, why: /^its certificate ends in (29|30) days$/ })
  t.match(await secure('server-name: www.example.test, authority: /nonexistent.pem'), { passed: false, why: /^the authorities cannot be read: / })
  const plain = await page((_, response) => response.end('ok'))
  t.match(await run(`{ https: /, port: ${plain}, verify: false, ${LONG} }`), { passed: false, why: 'it does not speak TLS' }, 'a server without TLS')
})

t.test('tcp: a connection, what is sent, and what must come', async (t) => {
  const port = await listen(
    createTcp((socket) => {
      socket.write('220 mail.')
      setTimeout(() => socket.write('example.test ESMTP\r\n'), 20)
      socket.on('data', (chunk) => socket.write(`250 you said ${String(chunk)}`))
    })
  )
  t.match(await run(`{ tcp: ${port}, ${LONG} }`), { passed: true, why: 'connected' })
  t.match(await run(`{ tcp: ${port}, pattern: '^220 \\S+ ESMTP', ${LONG} }`), { passed: true })
  t.match(await run(`{ tcp: ${port}, send: "EHLO x\\r\\n", text: "you said EHLO x", ${LONG} }`), { passed: true })
  t.match(await run(`{ tcp: ${port}, text: IMAP, timeout: 500ms }`), { passed: false, why: 'no complete answer within 500 ms' })
  t.match(await run(`{ tcp: 1, ${LONG} }`), { passed: false, refused: true, why: 'connection refused' })
})

t.test('tls: a handshake, and its certificate', { skip: hasOpenssl ? false : 'openssl is not installed' }, async (t) => {
  const { key, cert, authority } = certificate(5)
  const names: unknown[] = []
  const port = await listen(
    createTls({ key, cert }, (socket) => {
      names.push(socket.servername)
      socket.write('hello')
      socket.on('error', () => undefined)
    })
  )
  t.match(await run(`{ tls: ${port}, server-name: www.example.test, authority: ${authority}, text: hello, ${LONG} }`), { passed: true, why: /^certificate good for [45] days$/ })
  t.same(names, ['www.example.test'], 'the name stands in the handshake')
  t.match(await run(`{ tls: ${port}, server-name: www.example.test, authority: ${authority}, days: 14, ${LONG} }`), { passed: false, why: /ends in [45] days/ })
  const deaf = await listen(createTcp())
  t.match(await run(`{ tls: ${deaf}, verify: false, connect: 300ms, timeout: 20s }`), { passed: false, why: 'no connection within 300 ms' }, 'a handshake that never ends')
})

t.test('grpc: a service that must be SERVING', async (t) => {
  const answer = (stream: ServerHttp2Stream, status: number[] | undefined, code = '0'): void => {
    stream.on('error', () => undefined)
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': code, ...(code !== '0' && { 'grpc-message': 'unknown service' }) }))
    if (status !== undefined) stream.write(Buffer.from([0, 0, 0, 0, status.length, ...status]))
    stream.end()
  }
  const handle = (stream: ServerHttp2Stream, headers: Readonly<Record<string, unknown>>): void => {
    const pieces: Uint8Array[] = []
    stream.on('data', (chunk: Uint8Array) => pieces.push(chunk))
    stream.on('end', () => {
      const asked = Buffer.concat(pieces).subarray(5)
      const service = asked.length === 0 ? '' : asked.subarray(2).toString()
      if (headers[':path'] !== '/grpc.health.v1.Health/Check' || headers['te'] !== 'trailers') answer(stream, undefined, '12')
      // A field that nobody knows stands before the one that counts.
      else if (service === 'mail') answer(stream, [0x12, 2, 104, 105, 0x08, 1])
      else if (service === 'sleeping') answer(stream, [0x08, 2])
      else if (service === 'empty') answer(stream, [])
      else if (service === 'broken') answer(stream, [0x08])
      else if (service === '') answer(stream, [0x08, 1])
      else answer(stream, undefined, '5')
    })
  }
  const server = createHttp2()
  server.on('stream', handle)
  const port = await listen(server)
  const ask = (service: string): Promise<ProbeResult> => run(`{ grpc: "${service}", port: ${port}, ${LONG} }`)
  t.match(await ask(''), { passed: true, why: 'SERVING' })
  t.match(await ask('mail'), { passed: true, why: 'SERVING' })
  t.match(await ask('sleeping'), { passed: false, why: 'NOT_SERVING' })
  t.match(await ask('empty'), { passed: false, why: 'UNKNOWN' })
  t.match(await ask('nothing'), { passed: false, why: 'gRPC NOT_FOUND: unknown service' })
  const plain = await page((_, response) => response.end('ok'))
  t.match(await run(`{ grpc: "", port: ${plain}, ${LONG} }`), { passed: false }, 'a server of HTTP/1.1')
  if (!hasOpenssl) return
  const { key, cert, authority } = certificate(30)
  const secured = createSecureServer({ key, cert })
  secured.on('stream', handle)
  const securePort = await listen(secured)
  t.match(await run(`{ grpc: mail, port: ${securePort}, secure: true, server-name: www.example.test, authority: ${authority}, ${LONG} }`), { passed: true, why: /^SERVING, certificate good/ })
  t.match(await run(`{ grpc: mail, port: ${securePort}, secure: true, server-name: www.example.test, ${LONG} }`), { passed: false })
})

t.test('dns: a question to a real server, its code and its answer', { skip: hasNamed ? false : 'named is not installed' }, async (t) => {
  // A port that is free for both; the kernel tells one.
  const port = await listen(createTcp())
  await new Promise((resolve) => opened.pop()!.close(resolve))
  writeFileSync(join(folder, 'example.zone'), '$TTL 60\n@ SOA ns1 hostmaster 1 60 60 60 60\n NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.7\nwww A 192.0.2.8\n@ MX 10 mail\n@ TXT "v=spf1 -all"\n')
  writeFileSync(join(folder, 'named.conf'), `options { directory "${folder}"; listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; recursion no; };\ncontrols { };\nzone "example.test" { type primary; file "example.zone"; };\n`)
  const named = spawn('named', ['-g', '-n', '1', '-c', join(folder, 'named.conf')], { env: ENVIRONMENT, stdio: 'ignore' })
  t.teardown(() => named.kill('SIGKILL'))
  const ask = (question: string, more = ''): Promise<ProbeResult> => run(`{ dns: { ${question} }, port: ${port}, ${more} ${LONG} }`)
  for (let waits = 0; waits < 300 && !(await ask('name: www.example.test')).passed; waits++) await sleep(100)
  t.match(await ask('name: www.example.test'), { passed: true, why: 'NOERROR, 2 records' })
  t.match(await ask('name: WWW.example.test., answer: 192.0.2.8'), { passed: true })
  t.match(await ask('name: www.example.test, answer: 192.0.2.9'), { passed: false, why: /^answers 192\.0\.2\.[78], 192\.0\.2\.[78]$/ })
  t.match(await ask('name: example.test, type: MX, answer: 10 mail.example.test', 'transport: tcp,'), { passed: true, why: 'NOERROR, 1 record' })
  t.match(await ask('name: example.test, type: TXT, answer: v=spf1 -all'), { passed: true })
  t.match(await ask('name: none.example.test'), { passed: false, why: 'NXDOMAIN' })
  t.match(await ask('name: none.example.test, rcode: NXDOMAIN'), { passed: true })
  t.match(await ask('name: example.org'), { passed: false, why: 'REFUSED' })
  t.match(await run(`{ dns: { name: www.example.test }, port: ${await page(() => undefined)}, timeout: 300ms }`), { passed: false }, 'nobody answers there')
})

t.test('dns: only an answer to the question passes, and what is none is not waited for over TCP', async (t) => {
  type Reply = (query: Buffer) => Buffer
  const question = (query: Buffer): Buffer => query.subarray(12, query.length - 11)
  const head = (query: Buffer, questions: number): Buffer => Buffer.from([query[0]!, query[1]!, 0x84, 0, 0, questions, 0, 0, 0, 0, 0, 0])
  const replies: Record<string, Reply> = {
    right: (query) => Buffer.concat([head(query, 1), question(query)]),
    none: (query) => head(query, 0),
    twice: (query) => Buffer.concat([head(query, 2), question(query), question(query)]),
    other: (query) => Buffer.concat([head(query, 1), Buffer.from('\x05other\x04test\x00\x00\x01\x00\x01', 'latin1')]),
    chaos: (query) => Buffer.concat([head(query, 1), question(query).subarray(0, -1), Buffer.of(3)])
  }
  let reply = replies['right']!
  const port = await listen(createTcp((socket) => socket.on('data', (query) => {
    const octets = reply(query.subarray(2))
    socket.end(Buffer.concat([Buffer.of(0, octets.length), octets]))
  })))
  const ask = (name: string): Promise<ProbeResult> => {
    reply = replies[name]!
    return run(`{ dns: { name: www.example.test }, port: ${port}, transport: tcp, ${LONG} }`)
  }
  t.match(await ask('right'), { passed: true, why: 'NOERROR, 0 records' })
  t.match(await ask('none'), { passed: false, why: 'NOERROR, without the question' })
  t.match(await ask('twice'), { passed: false, why: 'NOERROR, with more questions than one' })
  t.match(await ask('other'), { passed: false, why: 'its answer is for another question' })
  t.match(await ask('chaos'), { passed: false, why: 'its answer is for another question' })
})

t.test('exec: a program, its exit status and what it prints; at its time limit it is killed with its children', async (t) => {
  const program = (name: string, text: string): string => {
    const path = join(folder, name)
    writeFileSync(path, `#!/bin/sh\n${text}\n`)
    chmodSync(path, 0o755)
    return path
  }
  const good = program('good', 'echo "$1 of $2 is well"; test -z "$SECRET"')
  t.match(await run(`{ exec: [${good}, "{address}", "{name}", "; exit 1"], text: "192.0.2.7 of web is well", ${LONG} }`, { addresses: ['192.0.2.7'], name: 'web' }), { passed: true, why: '192.0.2.7 of web is well' })
  t.match(await run(`{ exec: [${good}], text: sick, ${LONG} }`), { passed: false, why: 'its answer has no "sick"' })
  t.match(await run(`{ exec: [${program('bad', 'echo "disk full" >&2; exit 3')}], ${LONG} }`), { passed: false, why: 'exit status 3: disk full' })
  t.match(await run(`{ exec: [/nonexistent/check], ${LONG} }`), { passed: false, why: /^cannot be run: .*ENOENT/ })
  const note = join(folder, 'child')
  const slow = program('slow', `sleep 1000 & echo $! > ${note}; wait`)
  // On a busy machine it may not have come to its child in the shortest time.
  for (const seconds of [2, 10, 40]) {
    if (existsSync(note)) break
    t.match(await run(`{ exec: [${slow}], timeout: ${seconds}s }`), { passed: false, why: `no complete answer within ${seconds * 1000} ms` })
  }
  const isThere = (pid: number): boolean => !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  const child = Number(readFileSync(note, 'utf8'))
  let gone = false
  for (let waits = 0; waits < 1000 && !gone; waits++) {
    gone = !existsSync(`/proc/${child}/stat`) || !isThere(child)
    await sleep(10)
  }
  t.ok(gone, 'its child has ended too')
  t.match(await run(`{ exec: [${program('loud', 'yes | head -c 3000000')}], text: y, ${LONG} }`), { passed: true }, 'what is too much is not kept')
})

t.test('metrics: a load in JSON or Prometheus text, and its limit', async (t) => {
  const port = await page((request, response) => {
    if (request.url === '/json') response.end('{"stats": {"load": 420.5, "able": [0, 1000]}}')
    else if (request.url === '/none') response.writeHead(503).end()
    else response.end('# HELP load Load.\n# TYPE load gauge\nload{core="0",note="a}b"} 200\nload{core="1"} 2.2e2 1700000000\nload_max 1000\n')
  })
  const metrics = (text: string): Promise<ProbeResult> => run(`{ metrics: ${text}, port: ${port}, ${LONG} }`)
  t.match(await metrics('/json, load: stats.load, capacity: stats.able.1'), { passed: true, why: 'load 420.5 of 1000', load: 420.5, capacity: 1000 })
  t.match(await metrics('/json, load: stats.load, most: 400'), { passed: false, why: 'load 420.5 is above 400' })
  t.match(await metrics('/json, load: stats.laod'), { passed: false, why: 'there is no metric stats.laod' })
  t.match(await metrics('/text, load: load, capacity: load_max'), { passed: true, load: 420, capacity: 1000 })
  t.match(await metrics(`/text, load: 'load{core="1"}'`), { passed: true, load: 220 })
  t.match(await metrics('/none, load: load'), { passed: false, why: 'status 503' })
})

t.test('what cannot even be asked fails the check, and harms nothing else', async (t) => {
  const port = await page((_, response) => response.end('ok'))
  const http2 = createHttp2()
  http2.on('stream', (stream) => stream.respond({ ':status': 200 }, { endStream: true }))
  t.match(await run(`{ grpc: "", port: ${await listen(http2)}, headers: { Connection: close }, ${LONG} }`), { passed: false, why: /forbidden/ })
  t.match(await run(`{ http: /, port: ${port}, headers: { Trailer: x }, ${LONG} }`), { passed: false, why: /Trailers are invalid/ })
  t.match(await run(`{ dns: { name: example.test }, ${LONG} }`, { addresses: ['255.255.255.255'] }), { passed: false, why: /^this machine does not allow it|unreachable/ }, 'no way there')
  t.match(await run(`{ grpc: "", port: 1, ${LONG} }`), { passed: false, refused: true, why: 'connection refused' })
  t.match(await run(`{ exec: [/bin/true, "${'x'.repeat(300_000)}"], ${LONG} }`), { passed: false, why: /^cannot be run: .*E2BIG/ })
  const endless = await page((_, response) => response.end('load 1e308\nload 1e308\nable 1e-300\none 1\n'))
  t.match(await run(`{ metrics: /, port: ${endless}, load: load, ${LONG} }`), { passed: false, why: 'load Infinity is no figure to go by' })
  t.match(await run(`{ metrics: /, port: ${endless}, load: one, capacity: able, ${LONG} }`), { passed: false, why: 'capacity 1e-300 is no figure to go by' })
})

t.test('exec: whatever leaves its group keeps no descriptor of ours, nor does it harm when none are left', async (t) => {
  const open = (): number => readdirSync('/proc/self/fd').length
  const before = open()
  // They hold its output open, so that only the time limit ends it.
  for (let turn = 0; turn < 4; turn++) await run('{ exec: [/bin/sh, -c, "setsid sleep 20 & sleep 0.2"], timeout: 1s }')
  for (let waits = 0; waits < 1000 && open() > before + 3; waits++) await sleep(10)
  t.ok(open() <= before + 3, 'as many as before')
  const module = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href)
  const script = `import { openSync, closeSync } from 'node:fs'
    import { probe } from ${module('../../healthchecks/index.js')}
    import { systemAfter, systemClock } from ${module('../../core/clock.js')}
    const held = []
    try { for (;;) held.push(openSync('/dev/null')) } catch {}
    const { why } = await probe({ kind: 'exec', command: ['/bin/true'] }, { kind: 'full', timeoutMs: 20000, clock: systemClock, after: systemAfter, signal: new AbortController().signal })
    for (const each of held) closeSync(each)
    console.log(why)`
  const said = execFileSync('sh', ['-c', 'ulimit -n 256 && exec "$0" --input-type=module -e "$1"', process.execPath, script], { encoding: 'utf8' })
  t.match(said, /^cannot be run: .*EMFILE/)
})
