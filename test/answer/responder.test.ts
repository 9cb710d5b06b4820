import t from 'tap'
import { makeCounters } from '../../daemon/answer/index.ts'
import { openResponder } from '../../daemon/responder.ts'
import { readPolicies } from '../../daemon/routing/index.ts'
import { buildZoneImage, readZone } from '../../daemon/zone/index.ts'
import type { WorldImage } from '../../daemon/world.ts'
import { noPlaces } from '../../geodb/index.ts'
import { makeHealthTable } from '../../healthchecks/index.ts'
import { writeQuery } from './packets.ts'

t.test('a thread logs trouble of our own with its query, and not each time', async (t) => {
  const text = '@ 300 SOA ns1 hostmaster 1 2 3 4 5\n@ 300 NS ns1\nns1 300 A 192.0.2.53\nlost 300 ROUTE none\n'
  const { zone } = readZone({ file: 'example.test.zone', read: () => text })
  const { image } = readPolicies({ file: 'policies.yaml', text: 'policies: {}', targets: [] })
  const world: WorldImage = { generation: 1, zones: buildZoneImage([zone!]), places: noPlaces(), routing: image!, health: makeHealthTable(1), suspectTtl: 5 }
  const told: string[] = []
  const responder = openResponder({ counters: makeCounters(), seed: 1 }, world, { trouble: (reason) => told.push(reason), notice: () => undefined })
  const { bytes, source } = writeQuery(['A', 'lost.example.test'])
  const out = new Uint8Array(512)
  for (let time = 0; time < 3; time++) t.ok(responder.answer(bytes, 0, bytes.length, source, 'udp', out, 0, out.length) > 0)
  t.equal(out[3]! & 15, 2, 'SERVFAIL')
  t.match(told, [/^lost\.example\.test\. was answered SERVFAIL: Error: there is no policy none/])
  t.equal(told.length, 1)
})
