import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { joinMemory, leaveMemory, makeMemory } from '../../edge/crew/shared.ts'
import { ledgerNames, makeStandings, type Standings } from '../../edge/tiers/index.ts'
import { ADDRESS, bodies, makeEdge, page, skip, type Edge } from './crew-edge.ts'
import { startOrigin } from './origin.ts'
import { until } from './secure.ts'
import { echo, frame, HOST, OK, reader, startRaw, SWITCHING, UPGRADE, type Raw } from './websocket.ts'
import { configOf } from './workers.ts'

// What is limited, and what is done but once, is so for an edge as a whole, however many workers it has.

// As long as the runner allows a file, also where there is none.
t.setTimeout(600_000)

interface Upgraded {
  readonly socket: Socket
  /** 101, or what else is answered. */
  readonly status: number
  /** Whether a message comes back. */
  echoes(size: number): Promise<boolean>
}

async function upgrade(t: Test, port: number): Promise<Upgraded> {
  const socket = connect(port, ADDRESS)
  t.teardown(() => socket.destroy())
  socket.on('error', () => undefined)
  const read = reader(socket)
  socket.write(UPGRADE)
  let head = ''
  while (!head.endsWith('\r\n\r\n')) head += (await read(1)).toString('latin1')
  const echoes = async (size: number): Promise<boolean> => {
    socket.write(frame(Buffer.alloc(size, size % 251)))
    return (await read(10 + size)).subarray(10).equals(Buffer.alloc(size, size % 251))
  }
  return { socket, status: Number(head.split(' ')[1]), echoes }
}

/** An edge whose origin takes to WebSocket and sends back what it hears. */
async function makeEchoing(t: Test, workers: number, http: Record<string, unknown>): Promise<Edge & { readonly raw: Raw }> {
  const raw = await startRaw(t, (head, socket, rest) => {
    if (!/upgrade/i.test(head)) return void socket.end(OK)
    socket.write(SWITCHING)
    echo(socket, rest)
  })
  return { ...(await makeEdge(t, workers, { http, origins: { main: { url: `http://127.0.0.1:${raw.port}` } } })), raw }
}

t.test('tunnels: no more than there may be in all, at once or later', { skip }, async (t) => {
  const { port, crew } = await makeEchoing(t, 4, { tunnels: 6 })
  const all = await Promise.all(Array.from({ length: 40 }, () => upgrade(t, port)))
  const open = all.filter(({ status }) => status === 101)
  t.ok(open.length > 0 && open.length <= 6, `${open.length} of 40 that asked at once`)
  t.same([...new Set(all.map(({ status }) => status))].sort(), [101, 200], 'the others are plain HTTP')
  while (open.length < 6) {
    const more = await upgrade(t, port)
    if (more.status === 101) open.push(more)
  }
  for (let count = 0; count < 12; count++) t.equal((await upgrade(t, port)).status, 200, 'all places are taken')
  t.same(await Promise.all(open.map(({ echoes }) => echoes(200_000))), open.map(() => true), 'those that are open work')
  for (const { socket } of open) socket.destroy()
  const again: Upgraded[] = []
  await until('six places', async () => {
    const one = await upgrade(t, port)
    if (one.status === 101) again.push(one)
    else one.socket.destroy()
    return again.length === 6
  })
  await until('all are counted', () => crew.counters().requests >= 58)
})

t.test('tunnels hold the places of their clients, and a worker that dies gives back its own alone', { skip }, async (t) => {
  const { port, crew, connect } = await makeEchoing(t, 2, { tunnels: 24, 'clients-per-address': 24 })
  // Of so many neither worker is without one.
  const open = await Promise.all(Array.from({ length: 24 }, () => upgrade(t, port)))
  t.same([...new Set(open.map(({ status }) => status))], [101])
  const refused = await connect().then(async (client) => {
    client.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
    return (await client.reply()).broken
  }, () => true)
  t.ok(refused, 'the twenty-fifth of one address is one too many')
  const gone = open.map(({ socket }) => new Promise<void>((resolve) => socket.once('close', () => resolve())))
  crew.kill(1)
  await until('it is seen', () => crew.serving === 1)
  await until('its tunnels are closed', () => open.some(({ socket }) => socket.destroyed))
  await until('it is back', () => crew.serving === 2)
  const left = open.filter(({ socket }) => !socket.destroyed)
  t.ok(left.length > 0 && left.length < 24, `${left.length} of 24 are the other's`)
  t.same(await Promise.all(left.map(({ echoes }) => echoes(100_000))), left.map(() => true), 'they go on')
  const more: Upgraded[] = []
  while (left.length + more.length < 24) more.push(await upgrade(t, port))
  t.same([...new Set(more.map(({ status }) => status))], [101], 'as many as were lost find a place')
  for (const { socket } of open) socket.destroy()
  await Promise.all(gone)
})

t.test('uploads pass through every worker, whole and to nobody else', { skip }, async (t) => {
  const { origin, connect } = await makeEdge(t, 3)
  origin.answers.set('/up', { status: 200, fields: [['Cache-Control', 'no-store']], body: 'taken' })
  const contents = Array.from({ length: 12 }, (_, at) => String.fromCharCode(97 + at).repeat(1_000_000))
  const replies = await Promise.all(contents.map(async (content, at) => {
    const client = await connect()
    const half = content.length / 2
    client.send(at % 2 === 0 ? `POST /up HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: ${content.length}\r\n\r\n` : `PUT /up HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n`)
    for (const piece of [content.slice(0, half), content.slice(half)]) client.send(at % 2 === 0 ? piece : `${piece.length.toString(16)}\r\n${piece}\r\n`)
    if (at % 2 === 1) client.send('0\r\n\r\n')
    const reply = await client.reply()
    client.close()
    return reply
  }))
  t.same(bodies(replies), ['taken'])
  t.same(origin.contents.toSorted(), contents)
})

t.test('what a rehearsal says is said by every worker, also one that was started since', { skip }, async (t) => {
  const { origin, askAll, crew } = await makeEdge(t, 2)
  origin.answers.set('/page', page('hello'))
  crew.inject({ kind: 'error', status: 503 })
  const statuses = async (): Promise<number[]> => [...new Set((await askAll('/page')).map(({ status }) => status))]
  await until('all say so', async () => (await statuses()).join() === '503')
  crew.kill(0)
  await until('it is seen', () => crew.serving === 1)
  await until('it is back', () => crew.serving === 2)
  await until('all say so again', async () => (await statuses()).join() === '503')
  crew.inject(undefined)
  await until('all is well', async () => (await statuses()).join() === '200')
})

t.test('a primary that fails is left alone by all workers together', { skip }, async (t) => {
  const failing = await startOrigin()
  const spare = await startOrigin()
  t.teardown(() => Promise.all([failing.close(), spare.close()]))
  const { ask } = await makeEdge(t, 4, {
    origins: { main: { url: `http://127.0.0.1:${failing.port}` }, spare: { url: `http://127.0.0.1:${spare.port}` } },
    'origin-groups': { both: { origins: ['main', 'spare'], 'fail-over-on': [503] } },
    distributions: { d1: { behaviours: [{ path: '/*', origin: 'both' }] } }
  })
  for (let at = 0; at < 240; at++) {
    failing.answers.set(`/${at}`, { status: 503, fields: [], body: 'no' })
    spare.answers.set(`/${at}`, page('yes'))
    t.equal((await ask(`/${at}`)).body, 'yes')
  }
  t.equal(spare.asked.length, 240)
  // Twenty open the circuit; while it is open it is tried once in 1, 2, 4, 8, 10, 10 … seconds.
  t.ok(failing.asked.length >= 20 && failing.asked.length < 40, `it was asked ${failing.asked.length} times`)
})

t.test('what is compressed is so at all workers once it is at one', { skip }, async (t) => {
  const { origin, ask, askAll } = await makeEdge(t, 3, { distributions: { d1: { behaviours: [{ path: '/*', origin: 'main', compress: true }] } } })
  const text = 'once upon a time '.repeat(4000)
  for (const at of [0, 1, 2, 3]) {
    origin.answers.set(`/${at}`, { ...page(text), fields: [['Cache-Control', 'max-age=600'], ['Content-Type', 'text/plain']] })
    t.same(bodies(await askAll(`/${at}`)), [text], 'lent to all as it is')
    for (const coding of ['br', 'gzip']) {
      await until('it is compressed', async () => (await ask(`/${at}`, `Accept-Encoding: ${coding}\r\n`)).fields.get('content-encoding') === coding)
      t.same([...new Set((await askAll(`/${at}`, `Accept-Encoding: ${coding}\r\n`)).map(({ fields }) => fields.get('content-encoding')))], [coding])
    }
    t.same(bodies(await askAll(`/${at}`)), [text])
  }
  t.equal(origin.asked.length, 4)
})

const config = configOf({ edges: { icn: { address: ADDRESS, city: 'Seoul', at: [37, 126], parent: 'apac' } }, regionals: { apac: { address: '127.26.0.2' } }, origins: { main: { url: 'http://127.0.0.1:1' } }, distributions: { d1: { behaviours: [{ path: '/*', origin: 'main' }] } } })

/** The standings of workers that have a ledger in common. */
function standingsOf(workers: number): { readonly all: Standings[]; readonly leave: (worker: number) => void } {
  const memory = makeMemory({ workers, clients: 10, names: ledgerNames(config), files: 1 })
  return {
    all: Array.from({ length: workers }, (_, worker) => makeStandings({ retries: 0.5, hedges: 0.5 }, joinMemory(memory, { worker, workers, clients: 10, perAddress: 10 }).ledger)),
    leave: (worker) => leaveMemory(memory, worker)
  }
}

t.test('workers have one circuit, one budget, one skipped parent and one count of what is under way', async (t) => {
  const { all, leave } = standingsOf(3)
  const [one, two, three] = all.map((standings) => standings.of('origin', 'main')) as [ReturnType<Standings['of']>, ReturnType<Standings['of']>, ReturnType<Standings['of']>]
  for (const { circuit } of [one, two, three, one]) t.equal(circuit.failed(0, true), false)
  t.equal(two.circuit.failed(0, true), true, 'the fifth, of whomever')
  t.same([one, two, three].map(({ circuit }) => circuit.enter(999)), [false, false, false])
  t.same([one, two, three].map(({ circuit }) => circuit.enter(1000)), [true, false, false], 'one tries it for all')
  t.equal(one.circuit.succeeded(1001), true)
  t.same([one, two, three].map(({ circuit }) => circuit.enter(1002)), [true, true, true])
  t.equal(Array.from({ length: 30 }, (_, at) => [one, two, three][at % 3]!.retries.spend()).filter(Boolean).length, 10, 'ten in all')
  one.retries.earn()
  three.retries.earn()
  t.same([two.retries.spend(), two.retries.spend()], [true, false], 'what two earned is one for the third')
  t.equal(Array.from({ length: 30 }, (_, at) => all[at % 3]!.hedges.spend()).filter(Boolean).length, 10)
  one.count(1)
  two.count(1)
  two.count(1)
  t.same([one, two, three].map(({ underWay }) => underWay), [3, 3, 3])
  leave(1)
  t.equal(three.underWay, 1, 'what a worker that is gone had under way is under way no more')
  t.equal(all[0]!.liveness.failed('apac', 0), true)
  t.equal(all[1]!.liveness.failed('apac', 1), false, 'known')
  t.same(all.map(({ liveness }) => liveness.isDead('apac', 999)), [true, true, true])
  t.same(all.map(({ liveness }) => liveness.isDead('apac', 1000)), [false, true, true], 'one tries it for all')
  t.equal(all[2]!.liveness.answered('apac'), true)
  t.same(all.map(({ liveness }) => liveness.isDead('apac', 1001)), [false, false, false])
})
