import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ADDRESSES, answers, isHeard, makeSite, note, skip, until, type Pop } from './daemons.ts'

const { icn, fra } = ADDRESSES

const decisionsOf = ({ folder }: Pop): { readonly name: string; readonly verdict: string }[] => {
  const file = join(folder, 'state/decisions.json')
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { decisions: { name: string; verdict: string }[] }).decisions : []
}

t.test('four daemons', { skip, timeout: 500_000 }, async (t) => {
  const { pops, cut } = await makeSite(t, ['seoul', 'berlin', 'miami', 'perth'], 'quorum: majority, lease: 10s, ')
  const [seoul, berlin, miami, perth] = pops as unknown as [Pop, Pop, Pop, Pop]
  const others = [seoul, berlin, perth]
  for (const pop of pops) for (const other of pops) if (pop !== other) t.ok(await until(() => isHeard(pop, other.name)), `${pop.name} hears ${other.name}`)
  // Neither edge is run by it.
  miami.sees('fra')
  t.ok(await until(async () => (await note(miami, 'icn')) === 'icn: down here, up at 3 of 4 vantage points: answered as up'))
  t.ok(await answers(miami, icn))

  for (const { name } of others) cut('miami', name)
  t.ok(await until(async () => (await miami.pops())?.quorum.has === false), 'cut off from all others there is no quorum')
  t.ok(await until(async () => (await seoul.pops())?.quorum.believed === 3), 'the others have one')
  for (const pop of others) pop.sees('fra')
  for (const pop of others) t.ok(await answers(pop, fra), `${pop.name} goes by what three of four see`)
  t.ok(await until(async () => (await note(miami, 'icn')) === 'icn: down here, no quorum (1 of 4 vantage points, 3 needed): answered as up, as was decided last'))
  t.ok(await answers(miami, icn), 'with no quorum what was decided last holds')
  t.ok(await until(() => decisionsOf(miami).some(({ name, verdict }) => name === 'icn' && verdict === 'UP')), 'and is kept')
  await miami.kill()
  await miami.start()
  t.ok(await until(async () => (await note(miami, 'icn')) === 'icn: down here, no quorum (1 of 4 vantage points, 3 needed): answered as up, as was decided last'), 'after a start it holds still')
  t.ok(await answers(miami, icn))

  for (const { name } of others) cut('miami', name, false)
  t.ok(await answers(miami, fra), 'whole again, it goes by what all see')
})
