import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { DiskTier } from '../../edge/store/index.ts'
import { soakStored } from './stored-soak.ts'

const MIB = 2 ** 20

function folderFor(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-disk-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function openIn(t: Test, folder: string, limit = 64 * MIB): { disk: DiskTier; said: string[] } {
  const said: string[] = []
  const disk = new DiskTier({ folder, limit, say: (text) => void said.push(text) })
  t.teardown(() => disk.close())
  return { disk, said }
}

/** Octets that tell of themselves whether they are right. */
function bodyOf(key: string, size: number): Buffer {
  const seed = createHash('sha256').update(key).digest()
  return Buffer.alloc(size, seed)
}

const mayMount = process.getuid?.() === 0 && spawnSync('mount', ['--version']).status === 0

const segmentsIn = (folder: string): string[] => readdirSync(folder).filter((name) => name.endsWith('.segment')).toSorted()

t.test('what is complete is there after a process that ended at once; what was deleted or replaced does not come back', async (t) => {
  const folder = folderFor(t)
  const { disk } = openIn(t, folder)
  for (let at = 0; at < 500; at++) disk.write(`key ${at}`, [bodyOf(`${at}`, at * 7), Buffer.from('tail')])
  disk.write('replaced', [Buffer.from('old')])
  disk.write('deleted', [Buffer.from('gone')])
  await disk.written()
  disk.write('replaced', [Buffer.from('new')])
  disk.delete('deleted')
  disk.delete('never there')
  await disk.written()
  // Nobody closes the first: this is what a start after SIGKILL finds.
  for (const way of ['read through', 'by its index']) {
    const { disk: again } = openIn(t, folder)
    t.equal(again.count, 501, way)
    let wrong = 0
    for (let at = 0; at < 500; at++) if ((await again.read(`key ${at}`))?.equals(Buffer.concat([bodyOf(`${at}`, at * 7), Buffer.from('tail')])) !== true) wrong++
    t.equal(wrong, 0, 'all as they were')
    t.equal((await again.read('replaced'))?.toString(), 'new')
    t.equal(await again.read('deleted'), undefined)
    t.equal(again.has('deleted'), false)
  }
})

t.test('what is broken is never served: octets turned anywhere, a segment cut anywhere, rubbish behind it', async (t) => {
  const folder = folderFor(t)
  const { disk } = openIn(t, folder)
  for (let at = 0; at < 200; at++) disk.write(`key ${at}`, [bodyOf(`${at}`, 300)])
  await disk.written()
  await disk.close()
  const [name] = segmentsIn(folder)
  const path = join(folder, name!)
  const sound = readFileSync(path)
  const index = readFileSync(path.replace('.segment', '.index'))
  let served = 0
  const check = async (octets: Buffer, withIndex: boolean): Promise<boolean> => {
    writeFileSync(path, octets)
    if (withIndex) writeFileSync(path.replace('.segment', '.index'), index)
    else rmSync(path.replace('.segment', '.index'), { force: true })
    const again = new DiskTier({ folder, limit: 64 * MIB, say: () => undefined })
    let isRight = true
    for (let at = 0; at < 200; at += 3) {
      const found = await again.read(`key ${at}`)
      if (found !== undefined) served++
      if (found !== undefined && !found.equals(bodyOf(`${at}`, 300))) isRight = false
    }
    await again.close()
    return isRight
  }
  let wrong = 0
  for (let round = 0; round < 12; round++) {
    const octets = Buffer.from(sound)
    for (let turned = 0; turned < 1 + round; turned++) octets[(round * 7919 + turned * 104_729) % octets.length]! ^= 1 << (turned % 8)
    if (!(await check(octets, round % 2 === 0))) wrong++
    if (!(await check(sound.subarray(0, (sound.length * round) / 12), round % 2 === 0))) wrong++
  }
  t.equal(wrong, 0)
  t.ok(served > 500, `${served} others were served all the same`)
  appendFileSync(path, Buffer.alloc(5000, 'NCR1'))
  t.ok(await check(readFileSync(path), false))
  truncateSync(path, 0)
  t.equal(new DiskTier({ folder, limit: 64 * MIB, say: () => undefined }).count, 0)
})

t.test('a body that looks like records is never taken for them, whatever of the record around it is lost', async (t) => {
  const forge = folderFor(t)
  const { disk: forger } = openIn(t, forge)
  forger.write('victim', [Buffer.from('forged')])
  await forger.written()
  const forged = readFileSync(join(forge, segmentsIn(forge)[0]!))
  for (const lost of ['its head', 'its end'] as const) {
    const folder = folderFor(t)
    const { disk } = openIn(t, folder)
    disk.write('before', [Buffer.from('sound')])
    disk.write('carrier', [forged, forged, Buffer.alloc(1000)])
    await disk.written()
    const path = join(folder, segmentsIn(folder)[0]!)
    const octets = readFileSync(path)
    if (lost === 'its head') octets[octets.indexOf(forged) - 20]! ^= 1
    writeFileSync(path, lost === 'its head' ? octets : octets.subarray(0, -500))
    for (const way of ['read through', 'by its index']) {
      const { disk: again } = openIn(t, folder)
      t.equal(await again.read('victim'), undefined, `${lost}, ${way}`)
      t.equal((await again.read('before'))?.toString(), 'sound')
    }
  }
})

t.test('its files stay within the limit; the oldest leave, and what was used among them stays', async (t) => {
  const folder = folderFor(t)
  const limit = 16 * MIB
  const { disk } = openIn(t, folder, limit)
  const octetsOf = (): number => segmentsIn(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
  let most = 0
  for (let at = 0; at < 4000; at++) {
    disk.write(`key ${at}`, [bodyOf(`${at}`, 10_000)])
    if (at % 100 < 2) await disk.written()
    if (at % 100 === 0) {
      await disk.read('key 5')
      most = Math.max(most, octetsOf())
    }
  }
  await disk.written()
  t.ok(most <= limit && octetsOf() <= limit && disk.octets === octetsOf(), `at most ${most} of ${limit} octets`)
  t.ok((await disk.read('key 5'))?.equals(bodyOf('5', 10_000)), 'what was used is there')
  t.equal(await disk.read('key 6'), undefined, 'what was not is gone')
  t.ok((await disk.read('key 3999'))?.equals(bodyOf('3999', 10_000)))
})

t.test('what was used is there still when a large body has taken its place', async (t) => {
  const { disk } = openIn(t, folderFor(t), 16 * MIB)
  const keys = Array.from({ length: 130 }, (_, at) => `key ${at}`)
  for (const key of keys) disk.write(key, [bodyOf(key, 100_000)])
  await disk.written()
  for (const key of keys) await disk.read(key)
  const spool = disk.spool('large')!
  await new Promise<void>((resolve, reject) => {
    spool.follow(() => spool.size === 7 * MIB && resolve(), () => reject(new Error('it was not kept')))
    for (let at = 0; at < 7; at++) spool.push(bodyOf('large', MIB))
  })
  await disk.written()
  const there = keys.filter((key) => disk.has(key))
  t.ok(there.length > 0 && there.length < keys.length, `${there.length} of ${keys.length} are there`)
  for (const key of there) t.ok((await disk.read(key))?.equals(bodyOf(key, 100_000)), key)
  spool.stop()
})

t.test('what was replaced while the old one was on its way to disk does not come back when the new one cannot be written', { skip: mayMount ? false : 'only root may mount a small disk' }, async (t): Promise<void> => {
  const folder = join(folderFor(t), 'small')
  mkdirSync(folder)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]).status !== 0) return void t.pass('nothing can be mounted here')
  t.teardown(() => spawnSync('umount', ['-l', folder]))
  const { disk } = openIn(t, folder)
  disk.write('replaced', [bodyOf('old', 1000)])
  // Of one write with it, which begins and does not end.
  disk.write('first', [bodyOf('first', 700_000)])
  disk.write('deleted', [bodyOf('deleted', 1000)])
  disk.write('second', [bodyOf('second', 700_000)])
  disk.write('replaced', [bodyOf('new', 1000)])
  disk.delete('deleted')
  await disk.written()
  const { disk: again } = openIn(t, folder)
  t.notOk((await again.read('replaced'))?.equals(bodyOf('old', 1000)), 'the old one')
  t.equal(await again.read('deleted'), undefined)
})

t.test('a full disk is told once; what was written is served on', { skip: mayMount ? false : 'only root may mount a small disk' }, async (t): Promise<void> => {
  const folder = join(folderFor(t), 'small')
  mkdirSync(folder)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder]).status !== 0) return void t.pass('nothing can be mounted here')
  t.teardown(() => spawnSync('umount', ['-l', folder]))
  const { disk, said } = openIn(t, folder)
  for (let at = 0; at < 600; at++) {
    disk.write(`key ${at}`, [bodyOf(`${at}`, 10_000)])
    if (at % 50 === 0) await disk.written()
  }
  await disk.written()
  t.match(said, [/^nothing is written to disk for now, and memory alone takes in what is new: ENOSPC/])
  t.ok((await disk.read('key 3'))?.equals(bodyOf('3', 10_000)))
  t.equal(await disk.read('key 599'), undefined)
})

t.test('a disk that has room again is written to again, and both are told once', { skip: mayMount ? false : 'only root may mount a small disk' }, async (t): Promise<void> => {
  const folder = join(folderFor(t), 'small')
  mkdirSync(folder)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder]).status !== 0) return void t.pass('nothing can be mounted here')
  t.teardown(() => spawnSync('umount', ['-l', folder]))
  const said: string[] = []
  const disk = new DiskTier({ folder, limit: 64 * MIB, say: (text) => void said.push(text), againMs: 20 })
  t.teardown(() => disk.close())
  disk.write('before', [bodyOf('before', 10_000)])
  await disk.written()
  const ballast = join(folder, 'ballast')
  t.not(spawnSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=64k']).status, 0, 'the disk is full')
  for (let at = 0; at < 40; at++) {
    disk.write(`lost ${at}`, [bodyOf(`${at}`, 100_000)])
    await disk.written()
    await sleep(5)
  }
  t.match(said, [/^nothing is written to disk for now, and memory alone takes in what is new: ENOSPC/], 'told once, however often it is tried')
  t.ok((await disk.read('before'))?.equals(bodyOf('before', 10_000)), 'what was written is served on')
  rmSync(ballast)
  for (let tries = 0; tries < 1500 && !disk.has('after'); tries++) {
    await sleep(20)
    disk.write('after', [bodyOf('after', 100_000)])
    await disk.written()
  }
  t.ok((await disk.read('after'))?.equals(bodyOf('after', 100_000)))
  for (let tries = 0; tries < 1500 && said.length < 2; tries++) await sleep(20)
  t.same(said.slice(1), ['writing to disk goes on'])
})

t.test('what cannot be read is told once, and is not there', async (t) => {
  const folder = folderFor(t)
  const { disk: first } = openIn(t, folder)
  for (let at = 0; at < 5; at++) first.write(`key ${at}`, [bodyOf(`${at}`, 1000)])
  await first.written()
  await first.close()
  const { disk, said } = openIn(t, folder)
  const path = join(folder, segmentsIn(folder)[0]!)
  rmSync(path)
  mkdirSync(path)
  for (let at = 0; at < 5; at++) t.equal(await disk.read(`key ${at}`), undefined)
  t.equal(said.length, 1, said.join())
  t.equal(disk.has('key 0'), false)
})

t.test('an edge that is killed at any moment, whose files are damaged while it is away: never a wrong octet, and it has what it had', async (t) => {
  const soaked = await soakStored(2, (line) => t.comment(line))
  t.equal(soaked.wrong, 0, `${soaked.requests} requests, ${soaked.hits} hits`)
  t.ok(soaked.hits > 100)
  t.ok(soaked.fetchedAfterKill <= 2, `${soaked.fetchedAfterKill} of ${soaked.asked} fetched anew after the last kill`)
})
