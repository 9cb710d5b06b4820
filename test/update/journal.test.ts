import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { Journal } from '../../daemon/control/journal.ts'
import { makeBench, SOA } from './bench.ts'
import type { Sent } from './messages.ts'

const add = (name: string, type: string, data: string, ttl = 60): Sent => ({ name: `${name}.example.test.`, type, ttl, data })
const drop = (name: string, type = 'ANY'): Sent => ({ name: `${name}.example.test.`, type, class: 'ANY' })
const take = (name: string, type: string, data: string): Sent => ({ name: `${name}.example.test.`, type, class: 'NONE', data })
const BASE = ['example.test. 300 NS ns1.example.test.', 'ns1.example.test. 300 A 127.0.0.1']
const FILE = 'example.test.zone'

t.test('what was acknowledged is served after a restart, over the file or over its last good copy', async (t) => {
  const bench = makeBench(t)
  bench.write(FILE, `${SOA}www 300 A 192.0.2.1\n`)
  const first = bench.start()
  t.same(first.send([add('_acme-challenge', 'TXT', '"token"')], [drop('www'), add('*.wild', 'A', '192.0.2.9')]), ['NOERROR', 'NOERROR'], 'two in one write')
  const expected = ['9', '*.wild.example.test. 60 A 192.0.2.9', '_acme-challenge.example.test. 60 TXT "token"', ...BASE]
  t.same(first.served(), expected)
  t.same(bench.start().served(), expected)
  bench.write(FILE, 'broken')
  const fallen = bench.start()
  t.same(fallen.served(), expected, 'with the file broken')
  t.same(fallen.send([drop('_acme-challenge')]), ['NOERROR'], 'which still takes updates')
  t.same(bench.start().served(), ['10', '*.wild.example.test. 60 A 192.0.2.9', ...BASE])
})

t.test('a write that was cut off is dropped, and nothing before it', async (t) => {
  const bench = makeBench(t)
  bench.write(FILE, SOA)
  const path = join(bench.root, 'state', 'journal', 'example.test')
  const running = bench.start()
  running.send([add('a', 'A', '192.0.2.1')])
  const before = [statSync(path).size, running.served()] as const
  running.send([add('b', 'A', '192.0.2.2')])
  const whole = readFileSync(path)
  for (const size of [before[0], before[0] + 1, Math.floor((before[0] + whole.length) / 2), whole.length - 1]) {
    writeFileSync(path, whole.subarray(0, size))
    const again = bench.start()
    t.same(again.served(), before[1], `cut to ${size} octets`)
    t.equal(statSync(path).size, before[0])
    if (size > before[0]) t.match(again.faults(), [/journal of example\.test\.:1:1: warning: .* octets of a write that was interrupted were cut off/])
    t.same(again.send([add('b', 'A', '192.0.2.2')]), ['NOERROR'], 'and more is written behind')
    t.same(readFileSync(path), whole)
  }
  // Damage before the end is no interrupted write: it is told, and nothing is thrown away.
  writeFileSync(path, Buffer.concat([whole.subarray(0, before[0] - 20), Buffer.from('x'), whole.subarray(before[0] - 19)]))
  const damaged = bench.start()
  t.same(damaged.served(), ['7', ...BASE])
  t.match(damaged.faults(), [/is damaged behind step 0: .* set aside as .*example\.test~broken/])
  t.ok(existsSync(`${path}~broken`))
  writeFileSync(path, 'nothing of the kind')
  t.match(bench.start().faults(), [/is no journal/])
  t.ok(existsSync(`${path}~broken2`), 'beside the one before')
})

t.test('a journal that cannot be read is left alone, and the zone served as its file says', async (t) => {
  const bench = makeBench(t)
  bench.write(FILE, SOA)
  mkdirSync(join(bench.root, 'state', 'journal', 'example.test'), { recursive: true })
  const running = bench.start()
  t.same(running.served(), ['7', ...BASE])
  t.match(running.faults(), [/journal of example\.test\.:1:1: warning: its journal cannot be read: EISDIR/])
  t.same(running.send([add('a', 'A', '192.0.2.1')]).map((said) => /could not be kept: .*EISDIR/.test(said)), [true], 'no update is taken')
})

t.test('the journal of a zone is apart from what is written beside that of another', async (t) => {
  const folder = join(t.testdir({}), 'journal')
  const layer = { serial: 1, sets: new Map() }
  const head = { file: 'print', fileSerial: 1, serial: 1 }
  for (const origin of ['example.new.', 'example.broken.', 'example.']) Journal.create(folder, { origin, ...head }, layer).close()
  writeFileSync(join(folder, 'example'), 'damaged')
  Journal.open(folder, 'example.')
  t.same(['example.new.', 'example.broken.'].map((origin) => Journal.open(folder, origin).journal?.head.origin), ['example.new.', 'example.broken.'])
})

t.test('a long journal is written anew as what it comes to', async (t) => {
  const bench = makeBench(t)
  bench.write(FILE, SOA)
  const running = bench.start()
  const path = join(bench.root, 'state', 'journal', 'example.test')
  const long = `"${'x'.repeat(250)}"`.concat(` "${'y'.repeat(250)}"`.repeat(200))
  for (let round = 0; round < 30; round++) t.same(running.send([drop('big'), add('big', 'TXT', `"${round}" ${long}`)]), ['NOERROR'])
  t.ok(statSync(path).size < 1_400_000, `30 steps of 67 kB take ${statSync(path).size} octets`)
  t.same(bench.start().served(), running.served())
  t.same(readdirSync(join(path, '..')), ['.lock', 'example.test'])
})

const label = fc.constantFrom('a', 'b', 'A', '*', 'c.d', 'e', 'mail')
const text = fc.constantFrom('"one"', '"two"', '"three"')
const update: fc.Arbitrary<Sent> = fc.oneof(
  fc.tuple(label, text, fc.constantFrom(60, 300)).map(([name, data, ttl]) => add(name, 'TXT', data, ttl)),
  fc.tuple(label, fc.integer({ min: 1, max: 4 })).map(([name, host]) => add(name, 'A', `192.0.2.${host}`)),
  fc.tuple(label, label).map(([name, target]) => add(name, 'MX', `10 ${target}.example.test.`)),
  fc.tuple(label, label).map(([name, target]) => add(name, 'CNAME', `${target}.example.test.`)),
  fc.tuple(label, fc.constantFrom('ANY', 'TXT', 'A', 'CNAME')).map(([name, type]) => drop(name, type)),
  fc.tuple(label, text).map(([name, data]) => take(name, 'TXT', data)),
  fc.tuple(label, fc.integer({ min: 1, max: 4 })).map(([name, host]) => take(name, 'A', `192.0.2.${host}`))
)
const batches = fc.array(fc.array(fc.array(update, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 8 })

t.test('whatever updates come, the journal over the file is what is served', async (t) => {
  fc.assert(
    fc.property(batches, (sent) => {
      const inner = makeBench(t)
      inner.write(FILE, `${SOA}a 300 TXT "one"\na 300 A 192.0.2.1\nb 300 A 192.0.2.2\n`)
      const running = inner.start()
      for (const batch of sent) for (const outcome of running.send(...batch)) if (outcome !== 'NOERROR') throw new Error(outcome)
      const [now, after] = [running.served(), inner.start().served()]
      if (now.join('\n') !== after.join('\n')) throw new Error(`${now.join('\n')}\n--\n${after.join('\n')}`)
    }),
    { numRuns: 40 }
  )
  t.pass()
})

t.test('of processes that come upon a lock left behind, one takes it', { timeout: 500_000 }, async (t) => {
  const folder = t.testdir({ '.lock': '999999999 1\n' })
  const text = `import(${JSON.stringify(new URL('../../daemon/control/journal-lock.js', import.meta.url).href)}).then(({ lockJournals }) => {
    try { lockJournals(${JSON.stringify(folder)}); console.log('has it') } catch (error) { console.log(error.message) }
    process.stdin.resume()
  })`
  const all = Array.from({ length: 5 }, () => spawn(process.execPath, ['--input-type=module', '-e', text], { stdio: ['pipe', 'pipe', 'inherit'] }))
  const said = await Promise.all(all.map(async ({ stdout }) => String((await once(stdout, 'data'))[0]).trim()))
  for (const { stdin } of all) stdin.end()
  const [winner] = all.filter((_, index) => said[index] === 'has it')
  t.same(said.toSorted(), ['has it', ...Array.from({ length: 4 }, () => `process ${winner!.pid} works on the journals in ${folder}`)])
})
