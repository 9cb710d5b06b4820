import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { becomes, startLiving, type Living } from './living.ts'

// What no callback of ours catches, in real processes: faults thrown where nothing guards, too many open files, and threads and memory
// files that cannot be had. All but what they were about goes on, and it is told.

t.setTimeout(240_000)

/** Loaded into the edge before all else: who connects from one of these addresses has something thrown that nobody catches. */
const [THROWS, REJECTS, THROWS_AT_ONCE, THROWS_OFTEN] = ['127.0.0.61', '127.0.0.62', '127.0.0.63', '127.0.0.64']
const PLANTED = `data:text/javascript,${encodeURIComponent(`
  import { Server } from 'node:net'
  const planted = () => { throw new Error('a planted fault') }
  const { emit } = Server.prototype
  Server.prototype.emit = function (name, socket, ...more) {
    const from = name === 'connection' ? socket.remoteAddress : undefined
    const result = emit.call(this, name, socket, ...more)
    if (from === '${THROWS}') setTimeout(planted, 1)
    if (from === '${REJECTS}') void Promise.reject(new Error('a planted rejection'))
    if (from === '${THROWS_AT_ONCE}') planted()
    if (from === '${THROWS_OFTEN}') for (let count = 0; count < 100; count++) setTimeout(planted, 1)
    return result
  }
`)}`

const knock = (edge: Living, localAddress: string): Promise<void> =>
  new Promise((resolve) => {
    const socket = connect({ port: edge.port, host: '127.0.0.1', localAddress }, () => socket.end())
    socket.on('error', () => undefined).on('close', () => resolve()).resume()
  })

const has = ({ said }: Living, words: string): boolean => said.some((line) => line.includes(words))

async function answersRight(edge: Living): Promise<string[]> {
  const fates = await Promise.all(Array.from({ length: 20 }, (_, at) => edge.ask(at)))
  return fates.filter((fate) => fate !== 'right')
}

t.test('faults that nobody catches are told, and the process serves on; a hundred at once end it', async (t) => {
  const edge = await startLiving(t, { preload: PLANTED })
  for (const [from, words] of [[THROWS, 'a planted fault'], [REJECTS, 'a planted rejection'], [THROWS_AT_ONCE, 'a planted fault']] as const) {
    edge.said.length = 0
    await knock(edge, from)
    t.ok(await becomes(() => has(edge, 'a fault of ours') && has(edge, words)), `${from} is told`)
    t.same(await answersRight(edge), [])
  }
  t.equal(edge.ended(), undefined)
  await knock(edge, THROWS_OFTEN)
  t.ok(await becomes(() => edge.ended() !== undefined), 'it ends')
  t.equal(edge.ended(), '1', 'so that its supervisor starts it again')
  t.ok(await becomes(() => has(edge, 'this process ends, to be started anew')), edge.said.join('\n'))
})

const mayTrace = spawnSync('strace', ['-o', '/dev/null', '-e', 'inject=getppid:error=EIO', 'true']).status === 0

t.test('of several workers the one ends, and is started again as soon as a thread can be had', { skip: mayTrace ? false : 'strace is not here, or may not trace' }, async (t) => {
  const edge = await startLiving(t, { preload: PLANTED, workers: 2, keys: { log: 'info' } })
  await knock(edge, THROWS)
  t.ok(await becomes(() => has(edge, 'a planted fault')))
  t.same(await answersRight(edge), [])
  const tracer = spawn('strace', ['-f', '-p', String(edge.pid), '-e', 'trace=clone,clone3', '-e', 'inject=clone,clone3:error=EAGAIN', '-o', '/dev/null'], { stdio: ['ignore', 'ignore', 'pipe'] })
  await new Promise<void>((resolve, reject) => {
    tracer.stderr.on('data', (text: Buffer) => text.includes('attached') && resolve())
    tracer.once('exit', () => reject(new Error('strace ended')))
  })
  tracer.removeAllListeners('exit')
  await knock(edge, THROWS_OFTEN)
  t.ok(await becomes(() => has(edge, '1 of 2 serve')), 'one has ended')
  t.ok(await becomes(() => has(edge, 'cannot be started')), 'and has no thread')
  t.same(await answersRight(edge), [], 'the other answers')
  t.equal(edge.ended(), undefined)
  const gone = new Promise((resolve) => tracer.once('exit', resolve))
  tracer.kill('SIGINT')
  const late = setTimeout(() => tracer.kill('SIGKILL'), 5000)
  await gone
  clearTimeout(late)
  t.ok(await becomes(() => has(edge, 'serves again: 2 of 2 serve')), 'it serves again')
  t.same(await answersRight(edge), [])
  t.equal(edge.ended(), undefined)
})

/** Ticks of processor time that it has used. */
const ticksOf = ({ pid }: Living): number => readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ').slice(11, 13).reduce((sum, each) => sum + Number(each), 0)

t.test('too many open files: who has a connection is answered, and all are once there is room again', { skip: spawnSync('prlimit', ['--version']).status === 0 ? false : 'prlimit is not here' }, async (t) => {
  const edge = await startLiving(t)
  t.same(await answersRight(edge), [])
  const kept = new Agent({ keepAlive: true, maxSockets: 1 })
  t.equal(await edge.ask(1, { agent: kept }), 'right')
  const room = edge.descriptors() + 8
  spawnSync('prlimit', ['--pid', String(edge.pid), `--nofile=${room}:4096`])
  const crowd: Socket[] = Array.from({ length: 60 }, () => connect(edge.port, '127.0.0.1').on('error', () => undefined))
  t.ok(await becomes(() => edge.descriptors() >= room - 1), 'it has no more')
  const ticks = ticksOf(edge)
  const from = performance.now()
  // Those that are in memory: the others would take a file.
  for (let at = 1; at < 20; at++) t.equal(await edge.ask(at, { agent: kept }), 'right', 'a hit over the connection that is there')
  const missed = await edge.ask(4711, { agent: kept })
  t.ok(['right', '502', '503'].includes(missed), `a miss: ${missed}`)
  await becomes(() => performance.now() - from > 1000)
  t.comment(`${ticksOf(edge) - ticks} ticks in ${Math.round(performance.now() - from)} ms`)
  for (const socket of crowd) socket.destroy()
  spawnSync('prlimit', ['--pid', String(edge.pid), '--nofile=4096:4096'])
  kept.destroy()
  t.ok(await becomes(() => edge.descriptors() < room))
  t.same(await answersRight(edge), [])
  t.equal(await edge.ask(4712), 'right')
  t.notOk(has(edge, 'a fault of ours'), edge.said.join('\n'))
  t.equal(edge.ended(), undefined)
})
