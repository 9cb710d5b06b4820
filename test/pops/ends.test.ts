import t from 'tap'
import { ADDRESSES, answers, isHeard, makeSite, note, skip, until, type Pop } from './daemons.ts'

const { icn, fra } = ADDRESSES

t.test('one of two daemons is killed, started again and stopped', { skip, timeout: 500_000 }, async (t) => {
  const { pops } = await makeSite(t, ['seoul', 'berlin'])
  const [seoul, berlin] = pops as unknown as [Pop, Pop]
  t.ok(await until(async () => (await isHeard(seoul, 'berlin')) && (await isHeard(berlin, 'seoul'))), 'each hears the other')
  seoul.sees('fra')
  t.ok(await until(async () => (await note(seoul, 'icn')) !== ''))
  t.equal(await seoul.answer(), icn)
  await berlin.kill()
  t.ok(await answers(seoul, fra), 'killed, it is not heard, and one of two is enough')
  t.match(seoul.log(), /PoP berlin is not heard any more/)
  await berlin.start()
  t.ok(await answers(seoul, icn), 'back, it is believed again')
  berlin.signal('SIGSTOP')
  t.ok(await answers(seoul, fra), 'stopped, it is not heard either')
  berlin.signal('SIGCONT')
  t.ok(await answers(seoul, icn), 'it goes on, and is believed again')

  t.same(await seoul.post('/v1/force', { name: 'icn', state: 'down', why: 'new disks', everywhere: true }), { done: true, pops: [{ name: 'berlin', isHeard: true }] })
  t.ok(await answers(seoul, fra), 'forced at seoul')
  t.ok(await answers(berlin, fra), 'and so at berlin')
  await berlin.kill()
  await berlin.start()
  t.equal(await berlin.answer(), fra, 'over a restart')
  t.ok(await until(() => isHeard(berlin, 'seoul')))
  await berlin.post('/v1/force', { name: 'icn', state: 'none', everywhere: true })
  t.ok(await answers(berlin, icn))
  t.ok(await answers(seoul, icn), 'undone at the other')
  for (const pop of [seoul, berlin]) t.notMatch(pop.log(), /5e5e5e/, 'the key is in no log')
})
