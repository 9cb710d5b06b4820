import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectTls } from 'node:tls'
import t from 'tap'
import type { Client } from './client.ts'
import { ADDRESS, bodies, makeEdge, page, skip } from './crew-edge.ts'
import { until } from './secure.ts'
import { HOST } from './websocket.ts'

// Several workers of one edge are one cache.

// As long as the runner allows a file, also where there is none.
t.setTimeout(600_000)

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

for (const workers of [2, 4]) {
  t.test(`a thousand cold clients at ${workers} workers: one fetch`, { skip }, async (t) => {
    const { origin, connect, crew } = await makeEdge(t, workers, { http: { 'clients-per-address': 2000 } })
    let open: () => void = () => undefined
    const gate = new Promise<void>((resolve) => (open = resolve))
    origin.answers.set('/cold', { ...page('x'.repeat(300_000)), gate })
    const clients: Client[] = []
    for (let count = 0; count < 1000; count++) clients.push(await connect())
    const replies = clients.map((client) => {
      client.send(`GET /cold HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
      return client.reply()
    })
    await until('all are asking', () => crew.counters().requests === 1000)
    open()
    const answered = await Promise.all(replies)
    t.equal(answered.filter(({ body, broken }) => !broken && body === 'x'.repeat(300_000)).length, 1000, 'each has all of it')
    t.equal(origin.asked.length, 1, 'one fetch')
    for (const client of clients) client.close()
  })
}

t.test('viewers see one edge', { skip }, async (t) => {
  const { origin, ask, askAll, crew } = await makeEdge(t, 3)
  origin.answers.set('/page', { ...page('hello', ['ETag', '"one"']), etag: '"one"' })
  t.match((await ask('/page')).fields.get('x-cache'), 'Miss')
  const replies = await askAll('/page')
  t.same([...new Set(replies.map(({ fields }) => fields.get('x-cache')))], ['Hit from nearcast'])
  t.same([...new Set(replies.map(({ fields }) => fields.get('via')))], ['1.1 nearcast-icn'])
  t.ok(replies.every(({ fields }) => /^nearcast-icn; hit; ttl=\d+$/.test(fields.get('cache-status')!)), 'one member of Cache-Status')
  t.equal(new Set(replies.map(({ fields }) => fields.get('x-nearcast-request-id'))).size, replies.length, 'no two have the same id')
  t.equal((await ask('/page', '', 'HEAD')).fields.get('content-length'), '5')
  t.equal((await ask('/page', 'If-None-Match: "one"\r\n')).status, 304)
  t.same([(await ask('/page', 'Range: bytes=1-2\r\n')).body, origin.asked.length], ['el', 1])
  for (let count = 0; count < 12; count++) await ask('/.nearcast/latency')
  await until('all are counted once, and what is the edge\'s own is not', () => crew.counters().requests === 44 && crew.counters().hits === 43)
})

t.test('what varies, is compressed, streamed or too large to be lent is the same at all workers', { skip }, async (t) => {
  const { origin, ask, connect } = await makeEdge(t, 2)
  const large = Array.from({ length: 400_000 }, (_, at) => String(at % 10)).join('')
  origin.answers.set('/large', page(large))
  origin.answers.set('/streamed', { ...page(large), chunked: true })
  origin.answers.set('/broken', { ...page('y'.repeat(5000)), breakAfter: 1000 })
  origin.answers.set('/tongue', page('either', ['Vary', 'Accept-Language']))
  for (let count = 0; count < 12; count++) {
    t.equal((await ask('/large')).body, large)
    t.equal((await ask('/streamed')).body, large)
    t.equal((await ask('/tongue', `Accept-Language: ${count % 2 === 0 ? 'ko' : 'fr'}\r\n`)).body, 'either')
  }
  t.same(origin.asked.map(({ url }) => url).sort(), ['/large', '/streamed', '/tongue', '/tongue'])
  for (let count = 0; count < 8; count++) t.ok((await ask('/broken')).broken, 'what breaks off is seen to')
  // One connection asks for much at once, in order, and takes it slowly.
  const client = await connect()
  client.send(Array.from({ length: 8 }, (_, at) => `GET /${at % 2 === 0 ? 'large' : 'tongue'} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`).join(''))
  client.socket.pause()
  setTimeout(() => client.socket.resume(), 100)
  for (let count = 0; count < 8; count++) t.equal((await client.reply()).body, count % 2 === 0 ? large : 'either')
  client.close()
})

t.test('what its owner holds anew is lent no more as it was', { skip }, async (t) => {
  const { origin, ask, askAll } = await makeEdge(t, 3)
  for (const at of [0, 1, 2, 3]) {
    origin.answers.set(`/${at}`, page('old'))
    t.same(bodies(await askAll(`/${at}`)), ['old'])
    origin.answers.set(`/${at}`, page('new'))
    // It asks for more than the response is good for, which its owner alone hears.
    await until('it is fetched anew', async () => (await ask(`/${at}`, 'Cache-Control: min-fresh=700\r\n')).body === 'new')
    await until('every worker has let go of what it was lent', async () => bodies(await askAll(`/${at}`)).join() === 'new')
    t.same(bodies(await askAll(`/${at}`)), ['new'])
  }
})

t.test('a purge reaches all workers', { skip }, async (t) => {
  const { origin, askAll, purge } = await makeEdge(t, 3)
  for (let round = 0; round < 3; round++) {
    origin.answers.set('/page', page(`round ${round}`))
    t.same(bodies(await askAll('/page')), [`round ${round}`])
    await purge({ kind: 'url', what: 'd1 /page' })
  }
  t.equal(origin.asked.length, 3)
})

t.test('what an unsafe request changes is forgotten by all before it is answered', { skip }, async (t) => {
  const { origin, ask, askAll } = await makeEdge(t, 3)
  for (let round = 0; round < 6; round++) {
    origin.answers.set('/page', page(`round ${round}`))
    const { status } = await ask('/page', 'Content-Length: 0\r\n', 'POST')
    t.equal(status, 200)
    t.same(bodies([await ask('/page'), await ask('/page'), await ask('/page'), await ask('/page')]), [`round ${round}`])
  }
  t.same(bodies(await askAll('/page')), ['round 5'])
})

t.test('limits of clients hold for the edge as a whole', { skip }, async (t) => {
  const { origin, connect } = await makeEdge(t, 4, { http: { 'clients-per-address': 10 } })
  origin.answers.set('/page', page('hello'))
  const all = await Promise.all(Array.from({ length: 40 }, async () => {
    const client = await connect().catch(() => undefined)
    client?.send(`GET /page HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
    const reply = await client?.reply()
    return reply?.status === 200 ? client : undefined
  }))
  const held = all.filter((client) => client !== undefined)
  t.ok(held.length > 0 && held.length <= 10, `${held.length} of 40 were taken, 10 may be`)
  for (const client of held) client.close()
  await until('ten find a place again', async () => {
    const clients = await Promise.all(Array.from({ length: 10 }, () => connect()))
    const statuses = await Promise.all(clients.map(async (client) => {
      client.send(`GET /page HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
      return (await client.reply()).status
    }))
    for (const client of clients) client.close()
    return statuses.every((status) => status === 200)
  })
})

t.test('a worker that dies is missed by nobody for long; the last one takes the edge with it', { skip }, async (t) => {
  const { origin, askAll, crew, purge, failed } = await makeEdge(t, 2)
  origin.answers.set('/page', page('hello'))
  await askAll('/page')
  crew.kill(1)
  await until('it is seen', () => crew.serving === 1)
  await purge({ kind: 'url', what: 'd1 /page' })
  origin.answers.set('/page', page('changed'))
  t.same(bodies(await askAll('/page')), ['changed'], 'the other answers for all')
  await until('it is back', () => crew.serving === 2)
  const { requests } = crew.counters()
  t.same(bodies(await askAll('/page')), ['changed'])
  await until('what it had counted counts still', () => crew.counters().requests >= requests + 40)
  crew.kill(0)
  crew.kill(1)
  await failed
  t.equal(crew.serving, 0)
})

t.test('what workers that died held in files of memory is given back', { skip }, async (t) => {
  const { origin, ask, crew, failed } = await makeEdge(t, 2)
  /** Of these bodies alone: those of earlier edges go when their memory is collected. */
  const files = (): number => readdirSync('/proc/self/fd').map((file) => `/proc/self/fd/${file}`).filter((file) => linkOf(file).includes('nearcast-body') && sizeOf(file) === 100_000).length
  const maps = (): number => readFileSync('/proc/self/maps', 'latin1').split('nearcast-body').length - 1
  for (let at = 0; at < 8; at++) {
    origin.answers.set(`/large${at}`, page(String(at).repeat(100_000)))
    await ask(`/large${at}`)
  }
  await until('each lies in one', () => files() >= 8)
  const rightOnes = async (): Promise<boolean> => {
    for (let at = 0; at < 8; at++) if ((await ask(`/large${at}`)).body !== String(at).repeat(100_000)) return false
    return true
  }
  await until('both have them, in files of the one who asked for them', async () => (await rightOnes()) && files() >= 16)
  t.equal(origin.asked.length, 8)
  crew.kill(0)
  await until('it is seen', () => crew.serving === 1)
  t.ok(await rightOnes(), 'what was lent outlives its owner')
  await until('it is back', () => crew.serving === 2)
  t.ok(await rightOnes())
  crew.kill(0)
  crew.kill(1)
  await failed
  await until('nothing of them is left', () => files() === 0 && maps() === 0)
})

t.test('an edge that ends lets all its workers finish what is under way', { skip }, async (t) => {
  const { origin, connect, crew } = await makeEdge(t, 3)
  let open: () => void = () => undefined
  const gate = new Promise<void>((resolve) => (open = resolve))
  for (let at = 0; at < 12; at++) origin.answers.set(`/late${at}`, { ...page(`late ${at}`), gate })
  const clients = await Promise.all(Array.from({ length: 12 }, () => connect()))
  for (const [at, client] of clients.entries()) client.send(`GET /late${at} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
  await until('all are asking', () => crew.counters().requests === 12)
  const closed = crew.close(20_000)
  setTimeout(open, 300)
  t.same((await Promise.all(clients.map((client) => client.reply()))).map(({ body }) => body), Array.from({ length: 12 }, (_, at) => `late ${at}`))
  for (const client of clients) client.close()
  await closed
})

t.test('what was changed while a worker was away is not answered from its disk', { skip }, async (t) => {
  const { origin, ask, askAll, crew } = await makeEdge(t, 2, { cache: { disk: '32MiB' } })
  for (let at = 0; at < 8; at++) origin.answers.set(`/page${at}`, page('old'))
  for (let round = 0; round < 3; round++) for (let at = 0; at < 8; at++) await ask(`/page${at}`)
  t.equal(origin.asked.length, 8)
  for (const worker of [0, 1]) {
    crew.kill(worker)
    await until('it is seen', () => crew.serving === 1)
    for (let at = 0; at < 8; at++) origin.answers.set(`/page${at}`, page(`new ${worker}`))
    for (let at = 0; at < 8; at++) await ask(`/page${at}`, 'Content-Length: 0\r\n', 'POST')
    await until('it is back', () => crew.serving === 2)
    for (let at = 0; at < 8; at++) t.same(bodies([await ask(`/page${at}`), await ask(`/page${at}`), await ask(`/page${at}`)]), [`new ${worker}`])
  }
  t.same(bodies(await askAll('/page0')), ['new 1'])
})

t.test('TLS and HTTP/2 are the same at all workers, and sessions begun at one go on at another', { skip }, async (t) => {
  const { origin, https } = await makeEdge(t, 2, { https: {} })
  const ca = readFileSync(https.ca)
  origin.answers.set('/page', page('hello'))
  const workers = new Set<string>()
  let session: Buffer | undefined
  let resumed = 0
  for (let count = 0; count < 16; count++) {
    const socket = connectTls({ host: ADDRESS, port: https.port, servername: HOST, ca, ALPNProtocols: ['http/1.1'], ...(session !== undefined && { session }) })
    const text = await new Promise<string>((resolve, reject) => {
      let held = ''
      socket.on('session', (ticket: Buffer) => (session = ticket))
      socket.on('data', (piece: Buffer) => (held += piece.toString('latin1'))).on('end', () => resolve(held)).on('error', reject)
      socket.once('secureConnect', () => socket.write(`GET /page HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`))
    })
    if (socket.isSessionReused()) resumed++
    workers.add(/request-id: ([0-9a-f]{10})/i.exec(text)![1]!)
    t.match(text, /\r\n\r\nhello$/)
  }
  t.ok(workers.size > 1, 'several workers answered')
  t.equal(resumed, 15, 'each resumed what another began')
  const client = connectHttp2(`https://${HOST}:${https.port}`, { ca, servername: HOST, lookup: (_host, options, done) => (options.all === true ? done(null, [{ address: ADDRESS, family: 4 }]) : done(null, ADDRESS, 4)) })
  t.teardown(() => client.destroy())
  const answers = await Promise.all(Array.from({ length: 20 }, () => new Promise<string>((resolve, reject) => {
    const stream = client.request({ ':path': '/page' })
    let body = ''
    stream.setEncoding('latin1').on('data', (piece: string) => (body += piece)).on('end', () => resolve(body)).on('error', reject)
  })))
  t.same([...new Set(answers)], ['hello'])
  t.equal(origin.asked.length, 1)
})
