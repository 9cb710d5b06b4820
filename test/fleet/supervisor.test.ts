import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Member } from '../../core/channel.ts'
import { startFleet, type Fleet } from '../../fleet/index.ts'
import { takeLock } from '../../fleet/lock.ts'
import { restartDelay } from '../../fleet/worker.ts'
import { standInOptions } from './stand-in-fleet.ts'

// As long as the runner allows a file, also where there is none.
t.setTimeout(600_000)

const runner = fileURLToPath(new URL('./run.js', import.meta.url))
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits until `what` gives a value; the test fails when it has not within `withinMs`. */
async function until<T>(what: () => T | undefined | false, withinMs = 30_000): Promise<T> {
  const began = performance.now()
  for (;;) {
    const value = what()
    if (value !== undefined && value !== false) return value
    if (performance.now() - began > withinMs) throw new Error(`waited in vain for ${what}`)
    await pause(20)
  }
}

/** Runs: neither gone nor a zombie. */
function runs(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

const memberOf = (fleet: Fleet, name: string): Member => fleet.members().find((member) => member.name === name)!

async function inProcess(state: string, names: readonly string[], port: number): Promise<Fleet> {
  const fleet = await startFleet(standInOptions(state, names, port))
  if (typeof fleet === 'string') throw new Error(fleet)
  return fleet
}

/** A fleet in a process of its own: its supervisor, and the members once all are ready. */
async function apart(state: string, names: readonly string[], port: number, user?: string): Promise<{ supervisor: ChildProcess; members: Member[] }> {
  const supervisor = spawn(process.execPath, [runner, state, names.join(','), String(port), ...(user === undefined ? [] : [user])], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  supervisor.stdout!.on('data', (text: Buffer) => (said += text.toString()))
  const members = await until(() => said.endsWith('\n') && (JSON.parse(said) as Member[]), 60_000)
  return { supervisor, members }
}

/** Two seconds are promised; a busy machine gets more, and what is not ended at all never ends. */
async function gone(members: readonly Member[]): Promise<boolean> {
  return until(() => members.every(({ pid }) => !runs(pid!)), 30_000).then(
    () => true,
    () => false
  )
}

t.test('a worker that hangs, dies, is stopped, started and killed is told at once to the daemon', async (t) => {
  const state = t.testdir()
  const fleet = await inProcess(state, ['icn', 'nrt'], 14200)
  t.teardown(() => fleet.stop())
  t.equal(await fleet.ready, undefined)
  const seen = (name: string): Member | undefined => {
    try {
      return (JSON.parse(readFileSync(join(state, 'seen.json'), 'utf8')) as Member[]).find((member) => member.name === name)
    } catch {
      return undefined
    }
  }
  /** What the daemon has been told, message by message: a state may be over before one looks. */
  const told = (): string[] => readFileSync(join(state, 'told.jsonl'), 'utf8').split('\n').slice(0, -1)
  const toldSince = (messages: number, name: string, what: Member['state']): Promise<Member> =>
    until(() => told().slice(messages).flatMap((line) => JSON.parse(line) as Member[]).find((member) => member.name === name && member.state === what))
  t.equal(statSync(state).mode & 0o777, 0o700)
  for (const secret of ['admin.token', 'tier.secret']) t.equal(statSync(join(state, secret)).mode & 0o777, 0o600, secret)

  const { pid } = memberOf(fleet, 'icn')
  process.kill(pid!, 'SIGSTOP')
  t.match((await until(() => seen('icn')?.state === 'hung' && seen('icn'))).why, /^no heartbeat for \d+ ms$/)
  process.kill(pid!, 'SIGCONT')
  t.equal((await until(() => seen('icn')?.state === 'running' && seen('icn'))).pid, pid, 'heard again, it runs on')

  const before = told().length
  process.kill(pid!, 'SIGKILL')
  t.equal((await toldSince(before, 'icn', 'failed')).why, 'killed by SIGKILL')
  const again = await until(() => seen('icn')?.state === 'running' && seen('icn'))
  t.match(again, { restarts: 1 })
  t.not(again.pid, pid)

  const ask = (request: object): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(fleet.ports.admin, '127.0.0.1', () => socket.write(JSON.stringify(request)))
      socket.on('data', (text) => {
        socket.destroy()
        resolve(text.toString().trim())
      })
      socket.on('error', reject)
    })
  t.equal(await ask({ verb: 'stop', name: 'nrt' }), 'done')
  t.match(await until(() => seen('nrt')?.state === 'stopped' && seen('nrt')), { why: 'stopped by operator' })
  t.equal(await ask({ verb: 'kill', name: 'nrt' }), 'nrt does not run')
  t.equal(await ask({ verb: 'start', name: 'nrt' }), 'done')
  await until(() => seen('nrt')?.state === 'running')
  const messages = told().length
  t.equal(await ask({ verb: 'stop', name: 'nrt', forMs: 300 }), 'done')
  await toldSince(messages, 'nrt', 'stopped')
  await until(() => seen('nrt')?.state === 'running')
  const [killedAt, { pid: killed }] = [performance.now(), memberOf(fleet, 'icn')]
  t.equal(await ask({ verb: 'kill', name: 'icn', forMs: 2000 }), 'done')
  await until(() => seen('icn')?.state === 'running' && seen('icn')?.pid !== killed)
  t.ok(performance.now() - killedAt >= 1990, 'a rehearsed death lasts as long as asked for')
  t.equal(await ask({ verb: 'start', name: 'zzz' }), 'there is no member zzz')
  t.match(await ask({ verb: 'stop', name: 'daemon' }), /not stopped on its own/)
  await until(() => (seen('nrt')?.requestsPerSecond ?? 0) > 0)
  t.equal(seen('nrt')?.hitRatio, 0.5)

  const { pid: daemon } = memberOf(fleet, 'daemon')
  process.kill(daemon!, 'SIGSTOP')
  const restarted = await until(() => memberOf(fleet, 'daemon').restarts === 1 && memberOf(fleet, 'daemon').state === 'running' && memberOf(fleet, 'daemon'), 60_000)
  t.not(restarted.pid, daemon, 'a daemon that hangs is killed and started again')
})

t.test('what keeps failing is started again after a growing delay', async (t) => {
  t.same([0, 1, 2, 3, 6, 7, 8, 1000].map(restartDelay), [50, 500, 1000, 2000, 16_000, 30_000, 30_000, 30_000])
  const fleet = await inProcess(t.testdir(), ['crashing'], 14230)
  t.teardown(() => fleet.stop())
  const times: number[] = []
  let last = -1
  await until(() => {
    const { restarts } = memberOf(fleet, 'crashing')
    if (restarts !== last) times.push(performance.now())
    last = restarts
    return restarts === 3
  })
  t.ok(times.at(-1)! - times[0]! >= 1500, `three delays of 0.05, 0.5 and 1 s: ${Math.round(times.at(-1)! - times[0]!)} ms`)
  t.equal((await until(() => memberOf(fleet, 'crashing').state === 'failed' && memberOf(fleet, 'crashing'))).why, 'exited with 3')
})

t.test('a process that cannot start for good ends the start with its reason', async (t) => {
  const fleet = await inProcess(t.testdir(), ['refusing', 'icn'], 14240)
  t.equal(await fleet.ready, 'edge refusing: port 8080 is somebody else\'s')
  const members = fleet.members()
  await fleet.stop()
  t.ok(await gone(members.filter(({ pid }) => pid !== undefined)), 'nothing is left')
})

t.test('TERM ends every process within two seconds, the stopped and the deaf too', async (t) => {
  const state = t.testdir()
  const { supervisor, members } = await apart(state, ['icn', 'deaf', 'nrt'], 14250)
  process.kill(members.find(({ name }) => name === 'nrt')!.pid!, 'SIGSTOP')
  const ended = new Promise((resolve) => supervisor.once('exit', resolve))
  supervisor.kill('SIGTERM')
  t.ok(await gone(members))
  t.equal(await ended, 0)
  t.notOk(existsSync(join(state, 'fleet.json')))
})

t.test('kill -9 of the supervisor ends every process, one that is stopped too, and frees the state folder', async (t) => {
  const state = t.testdir()
  const { supervisor, members } = await apart(state, ['icn', 'deaf', 'nrt'], 14270)
  const second = spawn(process.execPath, [runner, state, 'icn', '14290'], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  second.stderr!.on('data', (text: Buffer) => (said += text.toString()))
  t.equal(await new Promise((resolve) => second.once('close', resolve)), 1)
  t.match(said, new RegExp(`^a fleet already runs on the state folder .*, pid ${supervisor.pid} .*\n$`), 'a second fleet is refused in one line')

  process.kill(members.find(({ name }) => name === 'nrt')!.pid!, 'SIGSTOP')
  supervisor.kill('SIGKILL')
  t.ok(await gone(members))
  t.ok(existsSync(join(state, 'fleet.json')), 'nobody tidied up')
  const next = await apart(state, ['icn'], 14270)
  t.equal(next.members.length, 2, 'and the next start is not held up by it')
  next.supervisor.kill('SIGTERM')
  t.ok(await gone(next.members))
  rmSync(join(state, 'fleet.json'), { force: true })
})

t.test('where the kernel has no lock to give, the pid of a process that lives holds the folder', async (t) => {
  const state = t.testdir()
  const first = takeLock(state, undefined)
  t.type(first, 'object')
  const file = join(state, 'lock.pid')
  t.equal(readFileSync(file, 'utf8'), `${process.pid}\n`)
  writeFileSync(file, `${process.ppid}\n`)
  t.equal(takeLock(state, undefined), process.ppid)
  for (const stale of [`${2 ** 22 + 1}\n`, '', `${process.pid}\n`]) {
    writeFileSync(file, stale)
    t.type(takeLock(state, undefined), 'object', `${JSON.stringify(stale)} blocks nobody`)
  }
  if (typeof first === 'object') first.release()
  t.notOk(existsSync(file))
})

// Everything from the root folder to the compiled programs must be open to others, or the user could not start them.
const open = runner.split('/').every((_, at, all) => (statSync(all.slice(0, at + 1).join('/') || '/').mode & 0o005) !== 0)
const mayDrop = process.platform === 'linux' && process.getuid?.() === 0 && open

t.test('started as root it becomes the user, who may still bind low ports, at a restart too', { skip: mayDrop ? false : 'not root, or others may not read this folder' }, async (t) => {
  const state = mkdtempSync(join(tmpdir(), 'nearcast-'))
  t.teardown(() => rmSync(state, { recursive: true, force: true }))
  const { supervisor, members } = await apart(state, ['icn'], 919, 'nobody')
  t.teardown(() => supervisor.kill('SIGKILL'))
  const uidOf = (pid: number): string | undefined => /^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  const capabilities = (pid: number): string[] => [...readFileSync(`/proc/${pid}/status`, 'utf8').matchAll(/^Cap(?:Prm|Eff|Amb):\t([0-9a-f]+)/gm)].map((match) => match[1]!)
  const bindOnly = '0000000000000400'
  for (const pid of [supervisor.pid!, ...members.map((member) => member.pid!)]) {
    t.not(uidOf(pid), '0')
    t.same(capabilities(pid), [bindOnly, bindOnly, bindOnly])
  }
  t.equal(statSync(state).uid, Number(uidOf(supervisor.pid!)))
  const seen = (): Member | undefined => (JSON.parse(readFileSync(join(state, 'seen.json'), 'utf8')) as Member[]).find(({ role }) => role === 'daemon')
  const { pid } = members.find(({ role }) => role === 'daemon')!
  process.kill(pid!, 'SIGKILL')
  await until(() => existsSync(join(state, 'seen.json')) && seen()?.state === 'running' && seen()?.restarts === 1, 60_000)
  t.pass('started again, it could bind its low port')
  supervisor.kill('SIGTERM')
  t.ok(await gone([...members, seen()!]))
})
