import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { fingerprint, openLastGood, type LastGood } from '../../daemon/control/last-good.ts'

const textsOf = (name: string, round: number): ReadonlyMap<string, Buffer> => new Map([[name, Buffer.from(`${name} ${round} `.repeat(200 + (round % 7) * 50))]])

function keepRound(store: LastGood, round: number): void {
  for (let file = 0; file < 6; file++) {
    const name = `z${file}.zone`
    if ((round + file) % 11 === 0) store.drop(name)
    else store.keep(name, textsOf(name, round), fingerprint(textsOf(name, round)))
  }
  const trouble = store.flush()
  if (trouble !== undefined) throw new Error(trouble)
}

// A process that keeps one round after the other and says each once it is on the disk, until it is killed.
const at = process.argv.indexOf('--keep')
if (at >= 0) {
  const store = openLastGood(process.argv[at + 1]!, '/zones')
  for (let round = Number(process.argv[at + 2]); ; round++) {
    keepRound(store, round)
    process.stdout.write(`${round}\n`)
  }
}

/** Keeps rounds in another process and kills it at a random moment. @returns the last round that it said was kept */
function keepAndKill(state: string, from: number): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [process.argv[1]!, '--keep', state, String(from)], { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.on('data', (data: Buffer) => {
      if (said === '') setTimeout(() => child.kill('SIGKILL'), Math.random() * 120)
      said += data.toString()
    })
    child.on('exit', () => resolve(Number(said.trimEnd().split('\n').at(-1))))
  })
}

/** The round that a file was kept in; undefined when nothing is kept of it. */
function roundOf(store: LastGood, name: string): number | undefined {
  const texts = store.read(name)
  if (texts === undefined) return undefined
  const round = Number(texts.get(name)!.toString().split(' ')[1])
  t.same(texts, textsOf(name, round), 'whole')
  t.equal(store.about(name)!.print, fingerprint(texts))
  return round
}

t.test('a kill at any moment leaves what was kept', { timeout: 500_000 }, async (t) => {
  const state = mkdtempSync(join(tmpdir(), 'nearcast-copies-'))
  t.teardown(() => rmSync(state, { recursive: true, force: true }))
  let from = 0
  for (let kill = 0; kill < 6; kill++) {
    const said = await keepAndKill(state, from)
    const store = openLastGood(state, '/zones')
    for (let file = 0; file < 6; file++) {
      // What was said is there; of the round that was cut off, some may be.
      const round = roundOf(store, `z${file}.zone`)
      const isDropped = (each: number): boolean => (each + file) % 11 === 0
      t.ok(round === undefined ? isDropped(said) || isDropped(said + 1) : round === said || round === said + 1, `z${file} is of round ${round}, and ${said} was kept`)
    }
    from = said + 2
  }
})

t.test('what is cut short at any octet, or of another folder, counts for nothing', async (t) => {
  const state = mkdtempSync(join(tmpdir(), 'nearcast-copies-'))
  t.teardown(() => rmSync(state, { recursive: true, force: true }))
  const store = openLastGood(state, '/zones')
  for (const round of [1, 2]) keepRound(store, round)
  t.same([...openLastGood(state, '/elsewhere').names()], [])
  const path = join(state, 'last-good', readdirSync(join(state, 'last-good'))[0]!)
  const { size } = statSync(path)
  for (let cut = size - 1; cut > 0; cut -= 487) {
    truncateSync(path, cut)
    const left = openLastGood(state, '/zones')
    for (const name of left.names()) t.ok([1, 2].includes(roundOf(left, name)!))
    if (cut > size - 500) {
      keepRound(left, 3)
      t.equal(roundOf(openLastGood(state, '/zones'), 'z1.zone'), 3, 'and more is kept behind it')
      truncateSync(path, cut)
    }
  }
})

t.test('what no longer counts does not fill the disk', async (t) => {
  const state = mkdtempSync(join(tmpdir(), 'nearcast-copies-'))
  t.teardown(() => rmSync(state, { recursive: true, force: true }))
  const store = openLastGood(state, '/zones')
  for (let round = 0; round < 600; round++) {
    store.keep('z.zone', textsOf('z.zone', round), fingerprint(textsOf('z.zone', round)))
    store.flush()
  }
  const folder = join(state, 'last-good')
  t.ok(readFileSync(join(folder, readdirSync(folder)[0]!)).length < 3 << 20)
  t.equal(roundOf(openLastGood(state, '/zones'), 'z.zone'), 599)
})
