import { readRequest } from '../../daemon/exchange/request.ts'
import { compileRules, judgeUpdate, makeDraft, parseUpdate, type Touched, type ZoneView } from '../../daemon/update/index.ts'
import { CLASS, nameToText, TYPE, typeToText } from '../../daemon/wire/index.ts'
import { rdataToText, readZone } from '../../daemon/zone/index.ts'
import type { Random } from '../helpers/random.ts'
import { updateMessage, viewOf, wire, zoneFrom, type Sent } from '../update/messages.ts'
import { Broken, never } from './broken.ts'
import { mutatePacket } from './mutate.ts'
import type { Subject } from './subject.ts'

const ZONE = `@ 300 SOA ns1 hostmaster 5 3600 600 604800 60
@ 300 NS ns1
@ 300 NS ns2
ns1 300 A 192.0.2.1
ns2 300 A 192.0.2.2
www 300 CNAME ns1
txt 300 TXT "one"
txt 300 TXT "two"
old 300 DNAME new
cut 300 NS ns.cut
ns.cut 300 A 192.0.2.3
`
const NAMES = ['', 'ns1.', 'www.', 'txt.', 'new.', 'old.', 'a.old.', 'cut.', 'x.cut.', '*.w.', 'deep.er.txt.'].map((name) => `${name}example.test.`)
const DATA: readonly (readonly [type: string, data: string])[] = [
  ['A', '192.0.2.9'], ['TXT', '"one"'], ['TXT', '"three"'], ['CNAME', 'ns1.example.test.'], ['NS', 'ns1.example.test.'], ['NS', 'ns3.example.test.'], ['DNAME', 'elsewhere.test.'], ['MX', '10 ns1.example.test.'],
  ['SOA', 'ns1.example.test. hostmaster.example.test. 4 1 1 1 1'], ['SOA', 'ns1.example.test. hostmaster.example.test. 4294967295 1 1 1 1'], ['SOA', 'ns1.example.test. hostmaster.example.test. 9 1 1 1 1'], ['RRSIG', 'A 8 3 300 20270101000000 20261201000000 1 example.test. AQ==']
]

function sent(random: Random, isPrerequisite: boolean): Sent {
  const name = random.pick(NAMES)
  const [type, data] = random.pick(DATA)
  switch (random.below(isPrerequisite ? 5 : 6)) {
    case 0: return { name, type: 'ANY', class: 'ANY' }
    case 1: return { name, type, class: 'ANY' }
    case 2: return isPrerequisite ? { name, type: 'ANY', class: 'NONE' } : { name, type, class: 'NONE', data }
    default: return { name, type, data, ttl: isPrerequisite ? 0 : random.pick([0, 60, 300, 2 ** 31]) }
  }
}

/** Feeds updates to their judge, sound ones and damaged ones: what comes of a zone is a zone that would be read from a file. */
export function updateSubject(): Subject {
  const zone = zoneFrom(ZONE)
  const first = viewOf(zone)
  const rules = compileRules(wire('example.test.'), [{ key: 'fuzz.', types: [TYPE.ANY] }])
  return {
    name: 'updates',
    feed(random) {
      const list = (most: number, isPrerequisite: boolean): Sent[] => Array.from({ length: random.below(most) }, () => sent(random, isPrerequisite))
      const whole = updateMessage('example.test.', random.percent(70) ? [] : list(3, true), list(6, false))
      const bytes = random.percent(50) ? whole : mutatePacket(random, [whole])
      never('readRequest', bytes, () => readRequest(bytes, { source: { family: 4, bytes: Uint8Array.of(127, 0, 0, 1) }, transport: random.percent(50) ? 'tcp' : 'udp', limit: 1232 }))
      const message = never('parseUpdate', bytes, () => parseUpdate(bytes))
      if ('rcode' in message || message.zone.class !== CLASS.IN || nameToText(message.zone.name).toLowerCase() !== 'example.test.') return
      const { touched, rcode } = never('judgeUpdate', bytes, () => judgeUpdate(first, rules, 'fuzz.', message))
      if (rcode !== 0 && touched.length > 0) throw new Broken('refused, and done all the same', bytes)
      if (touched.length > 0) never('the zone that came of it', bytes, () => checkResult(first, touched, bytes))
    }
  }
}

/** The zone with the changes, written out, has no errors; its serial has risen. */
function checkResult(view: ZoneView, touched: readonly Touched[], bytes: Uint8Array): void {
  const draft = makeDraft(view)
  for (const { owner, type, now } of touched) {
    if (now === undefined) draft.drop(owner, type)
    else draft.put(now)
  }
  const owners = new Map([...NAMES.map(wire), ...touched.map(({ owner }) => owner)].map((owner) => [nameToText(owner).toLowerCase(), owner]))
  for (const line of ZONE.split('\n')) {
    const name = `${line.split(' ')[0]!}.example.test.`
    if (line !== '' && !line.startsWith('@')) owners.set(name, wire(name))
  }
  const lines = [...owners.values()].flatMap((owner) => draft.setsOf(owner).flatMap(({ type, ttl, data }) => data.map((rdata) => `${nameToText(owner)} ${ttl} IN ${typeToText(type)} ${rdataToText(type, rdata)}`)))
  const { zone, faults } = readZone({ file: 'test.zone', origin: 'example.test.', read: () => `${lines.join('\n')}\n` })
  const errors = faults.filter(({ severity }) => severity === 'error').map(({ reason }) => reason)
  if (zone === undefined) throw new Broken(`an update makes a zone that is refused: ${errors.join('; ')}\n${lines.join('\n')}\n`, bytes)
  if (!draft.setsOf(view.origin).some(({ type }) => type === TYPE.NS)) throw new Broken('an update leaves the zone without NS', bytes)
}
