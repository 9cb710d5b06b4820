import t from 'tap'
import { ADDRESSES, answers, isHeard, makeSite, note, skip, until, type Pop } from './daemons.ts'

const { icn, fra } = ADDRESSES

t.test('two daemons', { skip, timeout: 500_000 }, async (t) => {
  const { pops } = await makeSite(t, ['seoul', 'berlin'])
  const [seoul, berlin] = pops as unknown as [Pop, Pop]
  t.ok(await until(async () => (await isHeard(seoul, 'berlin')) && (await isHeard(berlin, 'seoul'))), 'each hears the other')
  t.ok(await answers(seoul, icn))
  t.ok(await answers(berlin, icn))

  seoul.sees('fra')
  t.ok(await until(async () => (await note(seoul, 'icn')) === 'icn: down here, up at 1 of 2 vantage points: answered as up'), 'down here and up there is told')
  t.equal(await seoul.answer(), icn, 'and answered as up')
  t.ok(await until(async () => (await note(berlin, 'icn')) === 'icn: up here, down at 1 of 2 vantage points: answered as up'))
  t.match((await seoul.pops())!.pops[0]!.differs, [{ target: 'icn', here: 'DOWN', there: 'UP' }])

  berlin.sees('fra')
  t.ok(await answers(seoul, fra), 'down at both is down')
  t.ok(await answers(berlin, fra))

  seoul.sees()
  t.ok(await until(async () => (await seoul.pops())?.isBelieved === false), 'who sees everything down is not believed')
  t.ok(await until(async () => (await note(seoul, 'fra')).startsWith('fra: down here, where everything is seen down, so that it does not count, up at 1 of 1 ')))
  t.equal(await seoul.answer(), fra, 'and answers as the other sees it')
  t.equal(await berlin.answer(), fra)

  seoul.sees('icn', 'fra')
  berlin.sees('icn', 'fra')
  t.ok(await answers(seoul, icn), 'up again')
  t.ok(await answers(berlin, icn))

  berlin.tell('fra', 'running')
  seoul.tell('icn', 'running')
  seoul.tell('icn', 'failed')
  t.ok(await answers(seoul, fra), 'its process is gone here: at once, whoever sees it up')
  t.ok(await answers(berlin, fra), 'and elsewhere too')
  t.match(await note(berlin, 'icn'), /its process is gone at seoul, which runs it: answered as down$/)
  seoul.tell('icn', 'running')
  t.ok(await answers(seoul, icn))
  t.ok(await answers(berlin, icn))
  for (const pop of [seoul, berlin]) t.notMatch(pop.log(), /5e5e5e/, 'the key is in no log')
})
