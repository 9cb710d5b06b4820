import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Io } from '../../cli/command.ts'
import { main } from '../../cli/main.ts'
import { packageRoot } from '../../cli/folders.ts'

// Two files of policies held against each other, without a fleet.

t.setTimeout(240_000)
const folder = t.testdir()
const policies = readFileSync(join(packageRoot, 'zones/policies.yaml'), 'utf8')
mkdirSync(join(folder, 'zones'))
// Where the tables of places are kept from one call to the next.
mkdirSync(join(folder, 'state/geodb'), { recursive: true })
writeFileSync(join(folder, 'zones/policies.yaml'), policies)
writeFileSync(join(folder, 'zones/nearcast.test.zone'), readFileSync(join(packageRoot, 'zones/nearcast.test.zone')))
writeFileSync(join(folder, 'nearcast.yaml'), readFileSync(join(packageRoot, 'nearcast.yaml')))

async function diff(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  const said = { out: '', err: '' }
  const io: Io = { out: (text) => void (said.out += text), err: (text) => void (said.err += text), columns: 100, colour: false, readable: false, cwd: folder }
  return { status: await main(['diff', ...argv], io), ...said }
}

/** A file beside the one in service, with this in the place of that. */
function edited(name: string, ...changes: readonly (readonly [string, string])[]): string {
  const text = changes.reduce((sum, [from, to]) => sum.replace(from, to), policies)
  if (changes.length > 0 && text === policies) throw new Error('the change changes nothing')
  writeFileSync(join(folder, name), text)
  return name
}

t.test('who moves from where to where, by country, and nothing of it is applied', { timeout: 500_000 }, async (t) => {
  const { status, out } = await diff(edited('new.yaml', ['EU: { latency: [fra, iad] }', 'EU: { latency: [fra, iad] }\n      FR: iad\n      GB: { weighted: { fra: 50, iad: 50 } }']))
  t.equal(status, 1, 'as diff(1) has it')
  t.match(out, /^zones\/policies\.yaml → new\.yaml\nno queries are counted: .*; no fleet runs: every edge is taken to be up\n/)
  t.match(out, /video \(d111111abcdef8\.nearcast\.test\..*\): [\d.]+ % of its viewers move\n {2}FROM +TO +SHARE +WHO\n {2}fra +iad +[\d.]+ % +France [\d.]+ %, United Kingdom [\d.]+ %\n/)
  t.match(out, /nearest \(\*\.wild\.nearcast\.test\.\): nobody moves\n/)
  t.match(out, /viewers of 1 of 3 policies would be sent elsewhere\n$/)
  t.equal(readFileSync(join(folder, 'zones/policies.yaml'), 'utf8'), policies)
  const json = JSON.parse((await diff('new.yaml', '--json')).out) as { policies: { policy: string; moves: { country: string; from: string; to: string; share: number }[] }[]; health: string }
  t.equal(json.health, 'all up')
  t.same(json.policies.map(({ policy, moves }) => [policy, moves.length]), [['video', 2], ['nearest', 0], ['canary', 0]])
  t.match(json.policies[0]!.moves.find(({ country }) => country === 'GB'), { from: 'fra', to: 'iad' })
})

t.test('a network is told where it decides', { timeout: 500_000 }, async (t) => {
  const { out } = await diff(edited('net.yaml', ['KR: {', '193.0.0.0/20: iad\n      KR: {']))
  t.match(out, /fra +iad +[\d.e-]+ % +Netherlands in 193\.0\.0\.0\/20\n/)
})

t.test('what was measured has its say, as the daemon last wrote it down', { timeout: 500_000 }, async (t) => {
  const file = join(folder, 'state/latencies.json')
  // Three networks of a country speak for all of it.
  const rows = [5, 6, 7].flatMap((third) => [['fra', 200], ['iad', 30]].map(([edge, ms]) => `193.0.${third}.0/24 ${edge} ${ms} 50 9 ${Date.now()} own`))
  writeFileSync(file, JSON.stringify(rows))
  t.teardown(() => rmSync(file))
  const { out } = await diff(edited('only-fra.yaml', ['EU: { latency: [fra, iad] }', 'EU: fra']))
  t.match(out, /every edge is taken to be up; round trips as measured of 3 networks\n/)
  t.match(out, /video \(.*\): [\d.e-]+ % of its viewers move\n.*\n {2}iad +fra +[\d.e-]+ % +Netherlands\n/)
})

t.test('the same for everybody now, and with an edge down not', { timeout: 500_000 }, async (t) => {
  const { status, out } = await diff(edited('later.yaml', ['KR: { failover: [icn, nrt] }', 'KR: { failover: [icn, syd] }']))
  t.equal(status, 1)
  t.match(out, /video \(.*\): nobody moves now, but [\d.]+ % with icn down\n/)
  t.match(await diff(edited('same.yaml', ['KR: { failover: [icn, nrt] }', 'KR:\n        failover:\n        - icn\n        - failover: [nrt]'])), { status: 0, out: /nobody would be sent elsewhere now\n$/ }, 'written otherwise and meaning the same')
})

t.test('what cannot be told, in one line and with status 2', { timeout: 500_000 }, async (t) => {
  t.match(await diff(edited('bad.yaml', ['fra, iad, gru', 'frx, iad, gru'])), { status: 2, out: '', err: /^bad\.yaml:6:25: there is no edge or policy frx \(did you mean fra\?\)\n$/ })
  t.match(await diff('none.yaml'), { status: 2, err: 'nearcast: there is no file none.yaml\n' })
  t.match(await diff('no-such-revision'), { status: 2, err: /^nearcast: no-such-revision is neither a file nor a revision with policies: .*\n$/ })
  t.match(await diff('--output=/tmp/x'), { status: 2, err: /has no option/ })
  const gone = await diff(edited('gone.yaml', ['\n  canary:\n    weighted: { nearest: 95, syd: 5 }', '']))
  t.match(gone, { status: 1, out: /canary would be gone, and steers canary\.nearcast\.test\.: the zone would be refused\n/ })
})

t.test('git revisions', { timeout: 500_000 }, async (t) => {
  const git = (...words: string[]): string => execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', '-c', 'init.defaultBranch=main', ...words], { cwd: folder, encoding: 'utf8' })
  git('init', '-q')
  git('add', 'zones', 'nearcast.yaml')
  git('commit', '-qm', 'one')
  t.match(await diff('HEAD'), { status: 0, out: /^HEAD → zones\/policies\.yaml\n/ })
  writeFileSync(join(folder, 'zones/policies.yaml'), readFileSync(join(folder, 'new.yaml')))
  t.match(await diff('HEAD'), { status: 1, out: /fra +iad/ }, 'from the revision to what is there')
  git('commit', '-qam', 'two')
  t.match(await diff('HEAD', 'HEAD~1'), { status: 1, out: /^HEAD → HEAD~1\n[\s\S]*iad +fra/ })
  t.match(await diff('HEAD:zones/policies.yaml', 'new.yaml'), { status: 0 })
  t.match(await diff('HEAD:zones/nowhere.yaml'), { status: 2, err: /neither a file nor a revision/ })
})
