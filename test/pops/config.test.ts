import t from 'tap'
import { parseConfig } from '../../core/config-file.ts'
import { formatFault } from '../../core/trouble.ts'
import { checkKeyMode, parsePopKeys } from '../../daemon/pops/index.ts'

const faultsOf = (pops: string, edges = ''): string[] => parseConfig('nearcast.yaml', `pops: ${pops}\n${edges}`).faults.map(formatFault)

t.test('what cannot be meant is refused where it stands', async (t) => {
  const one = '{ frankfurt: { address: 127.0.21.2 } }'
  t.same(faultsOf(`{ name: seoul, keys: k, others: ${one} }`), [])
  const cases: [string, RegExp][] = [
    [`{ name: seoul, keys: k, others: {} }`, /^nearcast\.yaml:1:\d+: pops\.others: names no other PoP/],
    [`{ name: frankfurt, keys: k, others: ${one} }`, /frankfurt is this PoP itself/],
    [`{ name: seoul, listen: 127.0.21.2, keys: k, others: ${one} }`, /127\.0\.21\.2 port 8054 is already that of this PoP/],
    ['{ name: seoul, keys: k, others: { frankfurt: { address: 192.0.2.1 } } }', /127\.0\.0\.1 does not reach frankfurt at 192\.0\.2\.1/],
    ['{ name: seoul, keys: k, others: { frankfurt: { address: "::1" } } }', /no address of pops\.listen is of the same family as ::1/],
    [`{ name: seoul, keys: k, lease: 1s, others: ${one} }`, /pops\.lease: must be from 2s to 60s/],
    [`{ name: seoul, keys: k, quorum: 3, others: ${one} }`, /there are 2 PoPs in all/],
    [`{ name: seoul, key: k, others: ${one} }`, /unknown key pops\.key \(did you mean keys\?\)/]
  ]
  for (const [pops, reason] of cases) t.ok(faultsOf(pops).some((fault) => reason.test(fault)), `${pops}: ${faultsOf(pops).join('; ')}`)
  t.match(faultsOf(`{ name: seoul, keys: k, others: ${one} }`, 'edges: { icn: { address: 127.0.10.1, city: Seoul, at: [0, 0], pop: frankfrt } }'), [/^nearcast\.yaml:2:\d+: edges\.icn\.pop: there is no PoP frankfrt \(did you mean frankfurt\?\)$/])
})

t.test('a key file is held to its rules, and no fault repeats a key', async (t) => {
  const good = 'a7'.repeat(31) + '01'
  t.equal(parsePopKeys('k', `# ours\n${good}\n\n${'b8'.repeat(31)}02 # before\n`).keys.length, 2)
  for (const [text, reason] of [['', /holds no key/], [good.slice(2), /32 octets or more, found 31/], [`${good}\n${good}`, /^k:2:1: this key stands in line 1 already/], ['00'.repeat(32), /over and over/], [`${good}z`, /expected hexadecimal digits/]] as const) {
    const faults = parsePopKeys('k', text).faults.map(formatFault)
    t.match(faults, [reason])
    t.notMatch(faults.join(), /a7a7/)
  }
  t.same(checkKeyMode('k', 0o100600), [])
  t.match(checkKeyMode('k', 0o100640).map(formatFault), [/^k:1:1: holds a key and has mode 0640/])
})
