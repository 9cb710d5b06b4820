import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { becomes, startLiving, type Living } from './living.ts'

// A disk that really fails under a real edge: calls of the kernel that fail, a file system that is full, files that are cut, turned and
// removed, rights that are taken. It answers right octets throughout, says so once, and comes back by itself.

t.setTimeout(240_000)

const isRoot = process.getuid?.() === 0
const FOLDER = 'cache/edge-icn'
const NEW = 1_000_000
/** Descriptors beyond those of before: connections to the origin, files that are just being read. */
const SPARE = 24

let next = NEW

/** Asks for some objects, known and new ones, several times each, so that memory has no room for all of them. @returns what was not answered right */
async function play(edge: Living): Promise<string[]> {
  const known = Array.from({ length: 50 }, (_, at) => at)
  const fresh = Array.from({ length: 12 }, () => next++)
  const bad: string[] = []
  for (const each of [known, fresh, fresh]) {
    for (let at = 0; at < each.length; at += 8) {
      const fates = await Promise.all(each.slice(at, at + 8).map((number) => edge.ask(number)))
      bad.push(...fates.filter((fate) => fate !== 'right'))
    }
  }
  return bad
}

const linesOf = ({ said }: Living, words: string): number => said.filter((line) => line.includes(words)).length

/** It fails, is told, is answered through, and comes back. @param allowed what a client may see while it fails, beside right octets @param partly some writes succeed still */
async function failsAndReturns(t: Test, edge: Living, { fail, mend, reason, allowed = [], partly = false }: { fail: () => Promise<void> | void; mend: () => Promise<void> | void; reason: RegExp; allowed?: readonly string[]; partly?: boolean }): Promise<void> {
  for (let rounds = 0; rounds < 3; rounds++) t.same(await play(edge), [], 'before')
  t.equal(edge.trouble(), undefined)
  const before = edge.descriptors()
  await fail()
  const bad: string[] = []
  const step = async (): Promise<void> => void bad.push(...(await play(edge)))
  t.ok(await becomes(() => edge.trouble() !== undefined, step), 'it is told with each heartbeat')
  t.match(edge.trouble(), reason)
  t.match(edge.trouble(), /^its disk fails, memory alone takes in what is new: /)
  for (let rounds = 0; rounds < 2; rounds++) await step()
  t.same(bad.filter((fate) => !allowed.includes(fate)), [], 'all is answered meanwhile')
  t.ok(await becomes(() => linesOf(edge, 'nothing is written to disk for now') > 0), 'it is said')
  if (!partly) t.equal(linesOf(edge, 'nothing is written to disk for now'), 1, 'once')
  await mend()
  t.ok(await becomes(() => edge.trouble() === undefined, async () => void t.same(await play(edge), [])), 'it comes back by itself')
  t.ok(await becomes(() => linesOf(edge, 'writing to disk goes on') === linesOf(edge, 'nothing is written to disk for now')), 'which is said as well')
  t.same(await play(edge), [], 'afterwards')
  t.ok(await becomes(() => edge.descriptors() <= before + SPARE), `${before} descriptors before, ${edge.descriptors()} now`)
  t.equal(linesOf(edge, 'a fault of ours'), 0, edge.said.join('\n'))
  t.equal(edge.ended(), undefined)
}

/** Has calls of a process fail from now on. Resolves when they do. */
async function inject(edge: Living, calls: string, error: string): Promise<ChildProcess> {
  const tracer = spawn('strace', ['-f', '-p', String(edge.pid), '-e', `trace=${calls}`, '-e', `inject=${calls}:error=${error}`, '-o', '/dev/null'], { stdio: ['ignore', 'ignore', 'pipe'] })
  await new Promise<void>((resolve, reject) => {
    tracer.stderr!.on('data', (text: Buffer) => text.includes('attached') && resolve())
    tracer.once('exit', (code) => reject(new Error(`strace ended with ${code}`)))
  })
  tracer.removeAllListeners('exit')
  return tracer
}

async function detach(tracer: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => tracer.once('exit', resolve))
  tracer.kill('SIGINT')
  const late = setTimeout(() => tracer.kill('SIGKILL'), 5000)
  await gone
  clearTimeout(late)
}

function whyNoTrace(): string | false {
  const tried = spawnSync('strace', ['-o', '/dev/null', '-e', 'inject=getppid:error=EIO', 'true'])
  return tried.error !== undefined ? 'strace is not here' : tried.status !== 0 ? 'strace may not trace here' : false
}

const INJECTED: readonly (readonly [calls: string, error: string, reason: RegExp])[] = [
  ['pwrite64,ftruncate,unlink,fdatasync', 'EROFS', /EROFS/],
  ['pread64,pwrite64', 'EIO', /EIO/]
]

const traceSkip = whyNoTrace()
for (const [calls, error, reason] of INJECTED) {
  t.test(`${calls} fail with ${error} in a running edge`, { skip: traceSkip }, async (t) => {
    const edge = await startLiving(t)
    let tracer: ChildProcess
    await failsAndReturns(t, edge, {
      fail: async () => void (tracer = await inject(edge, calls, error)),
      mend: () => detach(tracer),
      reason,
      // What was being read from disk when that began to fail.
      ...(calls.includes('pread64') && { allowed: ['cut off'] })
    })
  })
}

t.test('a disk that others fill under a running edge, and that has room again', { skip: isRoot ? false : 'only root may mount a small disk' }, async (t): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-small-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder]).status !== 0) return void t.pass('nothing can be mounted here')
  t.teardown(() => spawnSync('umount', ['-l', folder]))
  const ballast = join(folder, 'ballast')
  await failsAndReturns(t, await startLiving(t, { folder }), {
    fail: () => void spawnSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=4k']),
    mend: () => rmSync(ballast),
    reason: /ENOSPC/,
    // What is given up makes room.
    partly: true
  })
})

t.test('rights that are taken from its folder, and given again', { skip: isRoot && spawnSync('setpriv', ['--version']).status === 0 ? false : 'only root can put its own rights aside, with setpriv' }, async (t) => {
  const edge = await startLiving(t, { wrap: ['setpriv', '--bounding-set=-dac_override,-dac_read_search', '--inh-caps=-dac_override,-dac_read_search'] })
  const folder = join(edge.folder, FOLDER)
  await failsAndReturns(t, edge, { fail: () => chmodSync(folder, 0o000), mend: () => chmodSync(folder, 0o700), reason: /EACCES/, partly: true })
})

t.test('a folder that cannot be used at the start is used once it can be', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-late-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'cache'), 'a file stands in its way')
  const edge = await startLiving(t, { folder })
  t.same(await play(edge), [])
  t.ok(await becomes(() => edge.trouble() !== undefined))
  t.match(edge.trouble(), /ENOTDIR|EEXIST/)
  rmSync(join(folder, 'cache'))
  t.ok(await becomes(() => edge.trouble() === undefined, async () => void t.same(await play(edge), [])))
  t.ok(readdirSync(join(folder, FOLDER)).length > 0)
  t.ok(await becomes(() => linesOf(edge, 'nothing is written to disk for now') === 1))
})

t.test('files that are removed, cut and turned under a running edge, and its folder with them', async (t) => {
  const edge = await startLiving(t)
  const folder = join(edge.folder, FOLDER)
  const filesIn = (): string[] => readdirSync(folder).map((name) => join(folder, name))
  const before = edge.descriptors()
  const harms: readonly (readonly [string, () => void])[] = [
    ['cut', () => filesIn().forEach((path) => truncateSync(path, Math.floor(statSync(path).size / 2)))],
    ['turned', () => filesIn().forEach((path) => writeFileSync(path, Buffer.alloc(statSync(path).size, 'turned')))],
    ['removed', () => filesIn().forEach((path) => rmSync(path))],
    ['made folders', () => filesIn().forEach((path) => (rmSync(path), mkdirSync(path)))],
    ['removed with all above them', () => rmSync(join(edge.folder, 'cache'), { recursive: true })]
  ]
  for (const [name, harm] of harms) {
    for (let rounds = 0; rounds < 2; rounds++) t.same(await play(edge), [], `before they are ${name}`)
    harm()
    // A large body that is on its way to a client from a file that is cut ends early.
    const bad = [...(await play(edge)), ...(await play(edge))]
    t.same(bad.filter((fate) => fate !== 'cut off'), [], name)
    t.same(await play(edge), [], `after they were ${name}`)
  }
  t.ok(await becomes(() => existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.segment')), async () => void (await play(edge))), 'it writes to a folder of its own again')
  t.ok(await becomes(() => edge.descriptors() <= before + SPARE), `${before} descriptors before, ${edge.descriptors()} now`)
  t.equal(linesOf(edge, 'a fault of ours'), 0, edge.said.join('\n'))
})
