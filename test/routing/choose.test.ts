import assert from 'node:assert/strict'
import t from 'tap'
import { openRouting, readPolicies, VERBS, type Choice, type Family, type Routing, type Target } from '../../daemon/routing/index.ts'
import { COUNTRY_LIST, edges, healthOf, placeOf, places, policiesText, routingOf } from './fleet.ts'

/** A choice in one line: `icn`, `icn 90 | nrt 10`, `a+b`, with `open` and `cut` behind it. */
function lineOf({ alternatives, failOpen, unsettled }: Choice, targets: readonly Target[]): string {
  const answers = alternatives.map(({ weight, targets: list }) => {
    const names = list.map((number) => targets[number]!.name).join('+')
    return alternatives.length === 1 ? names : `${names} ${Number((weight * 100).toFixed(2))}`
  })
  return [answers.join(' | ') || 'nothing', ...(failOpen ? ['open'] : []), ...(unsettled ? ['cut'] : [])].join(' ')
}

function decide(routing: Routing, name: string, country: string, states: Record<string, string> = {}, family?: Family): string {
  const policy = routing.find(name)!
  const place = placeOf(country)
  const health = healthOf(routing.targets, states)
  const choice = routing.choose(policy, routing.classOf(policy, place), health, family)
  // Explaining is the same decision.
  assert.deepEqual(routing.explain(policy, place, health, family).choice, choice)
  return lineOf(choice, routing.targets)
}

const ALL_DOWN = { icn: 'down', nrt: 'down', fra: 'down', iad: 'down', gru: 'down', syd: 'down' }

t.test('the bundled policies send viewers to the edge near them', async (t) => {
  const routing = routingOf(policiesText)
  const cases: readonly (readonly [policy: string, country: string, states: Record<string, string>, expected: string])[] = [
    ['video', 'KR', {}, 'icn'],
    ['video', 'NL', {}, 'fra'],
    ['video', 'BR', {}, 'gru'],
    ['video', 'US', {}, 'iad'],
    ['nearest', 'AU', {}, 'syd'],
    ['nearest', 'JP', {}, 'nrt'],
    ['nearest', 'unknown', {}, 'icn'],
    ['canary', 'KR', {}, 'icn 95 | syd 5'],
    ['canary', 'AU', {}, 'syd'],
    ['video', 'KR', { icn: 'down' }, 'nrt cut'],
    ['video', 'KR', { icn: 'drain' }, 'nrt cut'],
    ['video', 'KR', { icn: 'suspect' }, 'icn cut'],
    ['video', 'KR', { icn: 'unknown' }, 'icn'],
    ['video', 'KR', { icn: 'forced-up' }, 'icn'],
    // What stands behind the answer has no say.
    ['video', 'KR', { nrt: 'down', fra: 'suspect' }, 'icn'],
    // A branch that is down falls to the next broader one.
    ['video', 'KR', { icn: 'down', nrt: 'down' }, 'syd cut'],
    ['video', 'NL', { fra: 'down', iad: 'down' }, 'icn cut'],
    ['video', 'KR', { ...ALL_DOWN, fra: 'down' }, 'syd open cut'],
    ['canary', 'KR', { syd: 'down' }, 'icn cut'],
    ['canary', 'KR', ALL_DOWN, 'icn 95 | syd 5 open cut']
  ]
  for (const [policy, country, states, expected] of cases) t.equal(decide(routing, policy, country, states), expected, `${policy} from ${country}, ${JSON.stringify(states)}`)
})

t.test('the last good is the one that went last, and not one that an operator took out', async (t) => {
  const routing = routingOf(policiesText)
  t.equal(decide(routing, 'video', 'KR', { syd: 'down', gru: 'down', iad: 'down', fra: 'down', icn: 'down', nrt: 'down' }), 'nrt open cut')
  t.equal(decide(routing, 'video', 'KR', { syd: 'down', gru: 'down', iad: 'down', fra: 'down', icn: 'down', nrt: 'forced-down' }), 'icn open cut')
})

t.test('each verb', async (t) => {
  const cases: readonly (readonly [node: string, country: string, states: Record<string, string>, expected: string])[] = [
    ['{ simple: icn }', 'KR', {}, 'icn'],
    ['{ simple: [icn, nrt, fra] }', 'KR', {}, 'icn+nrt+fra'],
    ['{ simple: [icn, nrt, fra] }', 'KR', { nrt: 'down' }, 'icn+fra cut'],
    ['{ simple: [icn, nrt, fra], count: 2 }', 'KR', {}, 'icn+nrt 33.33 | nrt+fra 33.33 | fra+icn 33.33'],
    ['{ simple: [icn, nrt, fra], count: 2 }', 'KR', { nrt: 'down' }, 'icn+fra cut'],
    ['{ simple: [192.0.2.1, icn] }', 'KR', { icn: 'down' }, '192.0.2.1 cut'],
    ['{ multivalue: [icn, nrt, fra] }', 'KR', {}, 'icn+nrt+fra'],
    ['{ multivalue: [icn, nrt, fra] }', 'KR', { nrt: 'down' }, 'icn+fra cut'],
    ['{ multivalue: [icn, nrt] }', 'KR', { icn: 'down', nrt: 'down' }, 'icn+nrt open cut'],
    ['{ multivalue: [{ failover: [icn, fra] }, nrt] }', 'KR', { icn: 'down' }, 'fra+nrt cut'],
    ['{ multivalue: [icn, nrt, fra, iad, gru, syd, 192.0.2.1, 192.0.2.2, 192.0.2.3] }', 'KR', { icn: 'down' }, 'nrt+fra+iad+gru+syd+192.0.2.1+192.0.2.2+192.0.2.3 cut'],
    ['{ failover: [fra, icn] }', 'KR', {}, 'fra'],
    ['{ failover: [fra, icn] }', 'KR', { fra: 'down' }, 'icn cut'],
    ['{ failover: [fra, icn] }', 'KR', { fra: 'down', icn: 'down' }, 'fra open cut'],
    ['{ failover: [icn, 192.0.2.1] }', 'KR', { icn: 'down' }, '192.0.2.1 cut'],
    ['{ weighted: { icn: 1, nrt: 3 } }', 'KR', {}, 'icn 25 | nrt 75'],
    ['{ weighted: { icn: 1, nrt: 3, fra: 0 } }', 'KR', {}, 'icn 25 | nrt 75'],
    ['{ weighted: { icn: 1, nrt: 3, fra: 0 } }', 'KR', { nrt: 'down' }, 'icn cut'],
    ['{ weighted: { icn: 1, nrt: 3, fra: 0, iad: 0 } }', 'KR', { nrt: 'down', icn: 'down' }, 'fra 50 | iad 50 cut'],
    ['{ weighted: { icn: 0, nrt: 0 } }', 'KR', {}, 'icn 50 | nrt 50'],
    ['{ weighted: [{ weight: 1, to: { failover: [icn, fra] } }, { weight: 1, to: nrt }] }', 'KR', { icn: 'down' }, 'fra 50 | nrt 50 cut'],
    ['{ geolocation: { KR: icn, continent-AS: nrt, default: iad } }', 'KR', {}, 'icn'],
    ['{ geolocation: { KR: icn, continent-AS: nrt, default: iad } }', 'JP', {}, 'nrt'],
    ['{ geolocation: { KR: icn, continent-AS: nrt, default: iad } }', 'BR', {}, 'iad'],
    ['{ geolocation: { KR: icn, continent-AS: nrt, default: iad } }', 'unknown', {}, 'iad'],
    ['{ geolocation: { KR: icn, continent-AS: nrt, default: iad } }', 'KR', { icn: 'down' }, 'nrt cut'],
    ['{ geolocation: { KR: icn, continent-AS: nrt, default: iad } }', 'KR', { icn: 'down', nrt: 'down' }, 'iad cut'],
    ['{ geolocation: { continent-SA: gru, country-SA: fra, default: iad } }', 'SA', {}, 'fra'],
    ['{ geolocation: { continent-SA: gru, country-SA: fra, default: iad } }', 'BR', {}, 'gru'],
    ['{ geolocation: { US/Chicago: gru, US-IL: syd, US: iad, default: fra } }', 'Chicago', {}, 'gru'],
    ['{ geolocation: { US/chicago: gru, US-IL: syd, US: iad, default: fra } }', 'Chicago', { gru: 'down' }, 'syd cut'],
    ['{ geolocation: { US/Chicago: gru, US-IL: syd, US: iad, default: fra } }', 'Springfield', {}, 'syd'],
    ['{ geolocation: { US/Chicago: gru, US-IL: syd, US: iad, default: fra } }', 'Springfield', { syd: 'down' }, 'iad cut'],
    ['{ geolocation: { US/Chicago: gru, US-IL: syd, US: iad, default: fra } }', 'US', {}, 'iad'],
    ['{ geolocation: { KR-26: nrt, KR: icn, default: fra } }', 'Busan', {}, 'nrt'],
    ['{ latency: [icn, nrt, fra, iad, gru, syd] }', 'ZA', {}, 'gru'],
    ['{ latency: [icn, nrt, fra, iad, gru, syd] }', 'ZA', { gru: 'down' }, 'fra cut'],
    ['{ latency: [syd, fra] }', 'unknown', {}, 'syd'],
    ['{ latency: [192.0.2.1, syd, fra] }', 'NL', {}, 'fra'],
    ['{ latency: [192.0.2.1, syd, fra] }', 'NL', { syd: 'down', fra: 'down' }, '192.0.2.1 cut'],
    ['{ latency: [{ failover: [iad, icn] }, nrt] }', 'KR', {}, 'iad'],
    // Korea's middle is 50 km from icn and 1209 km from nrt.
    ['{ geoproximity: { nrt: 0, icn: 0 } }', 'KR', {}, 'icn'],
    ['{ geoproximity: { nrt: 97, icn: 10 } }', 'KR', {}, 'nrt'],
    ['{ geoproximity: { nrt: 97, icn: 10 } }', 'KR', { nrt: 'down' }, 'icn cut'],
    // From the Netherlands fra is 339 km away and iad 6230 km: 1.99 times 339 is still less than 0.11 times 6230.
    ['{ geoproximity: { fra: -99, iad: 89 } }', 'NL', {}, 'fra'],
    ['{ geoproximity: { fra: -99, iad: 90 } }', 'NL', {}, 'iad'],
    ['{ geoproximity: [192.0.2.1, fra, { bias: 99, to: { failover: [syd, icn] } }] }', 'NL', {}, 'syd'],
    ['{ geoproximity: [192.0.2.1, fra, { bias: 99, to: { failover: [syd, icn] } }] }', 'unknown', {}, '192.0.2.1'],
    ['{ geoproximity: { syd: 0, fra: 99 } }', 'unknown', {}, 'syd'],
    // From the Netherlands: fra 5 ms, iad 93, icn 129, nrt 140, gru 147, syd 250.
    ['{ closest: [icn, nrt, fra, iad, gru, syd], count: 3 }', 'NL', {}, 'fra+iad+icn'],
    ['{ closest: [icn, nrt, fra, iad, gru, syd], count: 3, within: 1.5 }', 'NL', {}, 'fra'],
    ['{ closest: [icn, nrt, fra, iad, gru, syd], count: 3, within: 1.5 }', 'NL', { fra: 'down' }, 'iad+icn cut'],
    ['{ closest: [icn, nrt, fra, iad, gru, syd], count: 3, within: 100 }', 'NL', { iad: 'down' }, 'fra+icn+nrt cut'],
    ['{ closest: [icn, nrt, fra, iad, gru, syd], count: 3 }', 'NL', ALL_DOWN, 'fra+iad+icn open cut'],
    // What is not reached has no say.
    ['{ closest: [icn, nrt, fra, iad, gru, syd], count: 1 }', 'NL', { iad: 'down' }, 'fra'],
    ['{ closest: [{ failover: [fra], on-all-down: empty }, iad, icn], count: 2 }', 'NL', { fra: 'down' }, 'iad+icn cut'],
    ['{ closest: [{ failover: [fra], on-all-down: empty }, iad], count: 2 }', 'NL', { fra: 'down', iad: 'down' }, 'nothing cut'],
    ['{ closest: [syd, fra, 192.0.2.1], count: 2, within: 1 }', 'unknown', {}, 'syd+fra'],
    ['{ closest: [192.0.2.1, fra], count: 2, within: 100 }', 'NL', {}, 'fra'],
    ['{ closest: [192.0.2.1, fra], count: 2, within: 100 }', 'NL', { fra: 'down' }, '192.0.2.1 cut'],
    ['{ closest: [{ weighted: { fra: 1, iad: 3 } }, icn], count: 2 }', 'NL', {}, 'fra+icn 25 | iad+icn 75'],
    ['{ weighted: [{ weight: 27, to: { weighted: { icn: 84, nrt: 2 } } }] }', 'KR', {}, 'icn 97.67 | nrt 2.33'],
    ['icn', 'KR', {}, 'icn'],
    ['192.0.2.1', 'KR', {}, '192.0.2.1']
  ]
  for (const [node, country, states, expected] of cases) t.equal(decide(routingOf(`policies:\n  p: ${node}`), 'p', country, states), expected, `${node} from ${country}, ${JSON.stringify(states)}`)
})

t.test('records of simple are rotated, those of the others are not', async (t) => {
  for (const [node, rotate] of [['{ simple: [icn, nrt] }', true], ['{ failover: [icn, nrt] }', false], ['{ failover: [icn, { simple: [nrt, fra] }] }', false], ['{ latency: [{ simple: [icn, nrt] }, fra] }', true]] as const) {
    const routing = routingOf(`policies:\n  p: ${node}`)
    t.equal(routing.choose(0, routing.classOf(0, placeOf('KR')), healthOf(routing.targets, {})).rotate, rotate, node)
  }
})

t.test('multivalue answers 8 of more, each as often as any other, and they are shuffled', async (t) => {
  const routing = routingOf('policies:\n  p: { multivalue: [icn, nrt, fra, iad, gru, syd, 192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4] }')
  const { alternatives, shuffle, rotate } = routing.choose(0, routing.classOf(0, placeOf('KR')), healthOf(routing.targets, {}))
  t.same({ shuffle, rotate }, { shuffle: true, rotate: false })
  t.ok(alternatives.every(({ targets }) => new Set(targets).size === 8))
  for (const target of routing.targets.keys()) {
    const share = alternatives.reduce((sum, { weight, targets }) => sum + (targets.includes(target) ? weight : 0), 0)
    t.ok(Math.abs(share - 0.8) < 1e-9, `${routing.targets[target]!.name} is in ${share}`)
  }
  const two = routingOf('policies:\n  p: { geolocation: { KR: { simple: [icn, nrt] }, JP: { multivalue: [icn, nrt] }, default: icn } }')
  t.not(two.classOf(0, placeOf('KR')), two.classOf(0, placeOf('JP')), 'shuffled is not rotated')
})

t.test('when all is down', async (t) => {
  const cases: readonly (readonly [policies: string, states: Record<string, string>, expected: string])[] = [
    ['p: { failover: [icn, nrt], on-all-down: all }', { nrt: 'down', icn: 'down' }, 'icn open cut'],
    ['p: { failover: [icn, nrt], on-all-down: last-good }', { icn: 'down', nrt: 'down' }, 'nrt open cut'],
    ['p: { failover: [icn, nrt], on-all-down: empty }', { icn: 'down', nrt: 'down' }, 'nothing cut'],
    ['p: { failover: [icn, nrt], on-all-down: q }\n  q: { simple: 192.0.2.1 }', { icn: 'down', nrt: 'down' }, '192.0.2.1 cut'],
    ['p: { failover: [icn, nrt], on-all-down: q }\n  q: { simple: fra }', { icn: 'down', nrt: 'down', fra: 'down' }, 'fra open cut'],
    // What an operator holds down is not revived while there is anything else.
    ['p: { failover: [icn, nrt] }', { icn: 'down-and-forced-down', nrt: 'down' }, 'nrt open cut'],
    ['p: { simple: [icn, nrt] }', { icn: 'drain', nrt: 'down' }, 'nrt open cut'],
    ['p: { failover: [icn, nrt] }', { icn: 'forced-down', nrt: 'drain' }, 'icn open cut'],
    ['p: { failover: [icn, nrt], on-all-down: last-good }', { nrt: 'forced-down', icn: 'drain' }, 'icn open cut'],
    ['p: { failover: [icn], on-all-down: q }\n  q: { simple: fra }', { icn: 'down', fra: 'forced-down' }, 'icn open cut'],
    // A node inside that says nothing leaves it to those around it; one that says something is heard.
    ['p: { failover: [{ latency: [icn, nrt] }, fra] }', { icn: 'down', nrt: 'down' }, 'fra cut'],
    ['p: { failover: [{ latency: [icn, nrt], on-all-down: all }, fra] }', { icn: 'down', nrt: 'down' }, 'icn open cut'],
    ['p: { failover: [{ latency: [icn, nrt], on-all-down: all }, fra] }', { icn: 'drain', nrt: 'drain' }, 'fra cut'],
    ['p: { geolocation: { KR: { latency: [icn, nrt], on-all-down: empty }, default: fra } }', { icn: 'down', nrt: 'down' }, 'nothing cut'],
    ['p: { failover: [q, fra] }\n  q: { simple: icn, on-all-down: last-good }', { icn: 'down' }, 'icn open cut'],
    ['p: { weighted: [{ weight: 9, to: { simple: icn, on-all-down: empty } }, { weight: 1, to: nrt }] }', { icn: 'down' }, 'nrt cut'],
    ['p: { weighted: [{ weight: 9, to: { simple: icn, on-all-down: empty } }, { weight: 1, to: nrt }] }', { icn: 'down', nrt: 'down' }, 'nothing cut']
  ]
  for (const [policies, states, expected] of cases) t.equal(decide(routingOf(`policies:\n  ${policies}`), 'p', 'KR', states), expected, `${policies} ${JSON.stringify(states)}`)
})

t.test('a family counts only the targets that have an address of it', async (t) => {
  const both = edges.map((edge) => (edge.name === 'fra' || edge.name === 'gru' ? { ...edge, ipv6: [new Uint8Array(16)] } : edge))
  const routing = routingOf(policiesText, both)
  t.equal(decide(routing, 'video', 'KR', {}, 4), 'icn')
  t.equal(decide(routing, 'video', 'KR', {}, 6), 'fra')
  t.equal(decide(routing, 'video', 'KR', { icn: 'down' }, 6), 'fra', 'and the others leave the TTL alone')
  t.equal(decide(routing, 'video', 'KR', { fra: 'down' }, 6), 'gru cut')
  t.equal(decide(routing, 'video', 'BR', { fra: 'down', gru: 'down' }, 6), 'gru open cut')
  const none = routingOf('policies:\n  p: { simple: [icn, nrt], on-all-down: last-good }\n  q: { failover: [icn, "2001:db8::1"] }')
  t.equal(decide(none, 'p', 'KR', {}, 6), 'nothing')
  t.equal(decide(none, 'p', 'KR', { icn: 'down', nrt: 'down' }, 6), 'nothing')
  t.equal(decide(none, 'q', 'KR', {}, 6), '2001:db8::1')
  // What has no address of the family is not down: `empty` is not its answer.
  const beside = routingOf('policies:\n  p: { failover: [{ simple: icn, on-all-down: empty }, "2001:db8::1"] }')
  t.equal(decide(beside, 'p', 'KR', { icn: 'down' }, 6), '2001:db8::1')
})

t.test('classes', async (t) => {
  const routing = routingOf(`${policiesText}\n  fixed: { failover: [icn, nrt] }\n  fallen: { simple: icn, on-all-down: nearest }\n`)
  const classOf = (name: string, country: string): number => routing.classOf(routing.find(name)!, placeOf(country))
  t.equal(routing.usesPlace(routing.find('fixed')!), false)
  t.equal(routing.usesPlace(routing.find('canary')!), true)
  t.equal(routing.usesPlace(routing.find('fallen')!), true, 'what it falls to counts')
  t.not(classOf('fallen', 'KR'), classOf('fallen', 'BR'))
  t.equal(classOf('fixed', 'KR'), classOf('fixed', 'BR'))
  t.not(classOf('video', 'KR'), classOf('video', 'JP'))
  t.equal(classOf('video', 'KR'), classOf('video', 'KR'), 'asked again')
  t.equal(routing.find('nothing'), undefined)
  for (const [korea, japan] of [
    ['{ simple: [icn, nrt, fra], count: 1 }', '{ simple: [icn, nrt, fra], count: 2 }'], ['{ weighted: { icn: 1, nrt: 1 } }', '{ weighted: { icn: 1, nrt: 2 } }'],
    ['{ failover: [icn, nrt], on-all-down: empty }', '{ failover: [icn, nrt] }'], ['{ simple: icn, on-all-down: fixed }', '{ simple: icn, on-all-down: other }'],
    ['{ failover: [icn, nrt] }', '{ simple: [icn, nrt] }'], ['{ failover: [icn, nrt] }', '{ failover: [nrt, icn] }'],
    ['{ closest: [icn, nrt], count: 1 }', '{ closest: [icn, nrt], count: 2 }'], ['{ closest: [fra, iad], count: 2, within: 1 }', '{ closest: [fra, iad], count: 2 }']
  ]) {
    const each = routingOf(`policies:\n  p: { geolocation: { KR: ${korea}, JP: ${japan}, default: nrt } }\n  fixed: nrt\n  other: fra`)
    t.not(each.classOf(0, placeOf('KR')), each.classOf(0, placeOf('JP')), `${korea} is not ${japan}`)
  }
  const two = routingOf('policies:\n  p: { geolocation: { KR: { failover: [icn, nrt] }, JP: { failover: [icn, { failover: [nrt, icn] }] }, default: nrt } }')
  t.equal(two.classOf(0, placeOf('KR')), two.classOf(0, placeOf('JP')), 'what comes to the same is the same class')
})

t.test('past the bounds of what is kept, choices stay the same', async (t) => {
  const { image } = readPolicies({ file: 'p', text: policiesText, targets: edges })
  const plenty = openRouting(image!, places)
  const health = healthOf(edges, { icn: 'down', fra: 'suspect' })
  for (const limits of [{ classes: 2, octets: 1e6, targets: 1e6 }, { classes: 100, octets: 0, targets: 1e6 }, { classes: 2, octets: 30, targets: 7 }]) {
    const tight = openRouting(image!, places, undefined, { ...limits, viewers: 64 })
    const count = new Set(Array.from({ length: places.size }, (_, place) => tight.classOf(0, place))).size
    t.ok(limits.classes === 2 ? count > 5 : count === new Set(Array.from({ length: places.size }, (_, place) => plenty.classOf(0, place))).size, `${count} classes`)
    for (let round = 0; round < 2; round++) {
      for (const policy of [0, 1, 2]) {
        const choices = Array.from({ length: places.size }, (_, place) => tight.choose(policy, tight.classOf(policy, place), health))
        t.same(choices, Array.from({ length: places.size }, (_, place) => plenty.choose(policy, plenty.classOf(policy, place), health)))
        t.same(choices, Array.from({ length: places.size }, (_, place) => plenty.explain(policy, place, health).choice))
      }
    }
  }
  t.throws(() => plenty.choose(0, 999, health), { message: 'policy 0 has no class 999' })
})

t.test('why', async (t) => {
  const routing = routingOf(policiesText)
  const health = healthOf(routing.targets, { icn: 'down', nrt: 'drain' })
  const { steps, candidates } = routing.explain(routing.find('video')!, placeOf('KR'), health)
  t.same(steps.map(({ depth, text }) => '  '.repeat(depth) + text), [
    'policy video: geolocation: South Korea (KR) goes by KR; if all of it is down, by default',
    '  video.KR: failover: icn, then nrt',
    '    icn is DOWN: skipped',
    '    nrt is UP, drained: skipped',
    '  policy nearest: latency: icn 50 km ~1 ms, nrt 1209 km ~18 ms, syd 8329 km ~125 ms, fra 8569 km ~129 ms, and 2 more',
    '    icn is DOWN: skipped',
    '    nrt is UP, drained: skipped',
    '    syd is UP: taken',
    'answer: syd'
  ])
  t.same(candidates.map(({ target, state, chosen, why }) => `${target}, ${state}, ${chosen}: ${why}`), [
    'icn, DOWN, false: skipped: down', 'nrt, UP, drained, false: skipped: forced drain by an operator', 'syd, UP, true: answered',
    'fra, UP, false: not needed: one before it answers', 'iad, UP, false: not needed: one before it answers', 'gru, UP, false: not needed: one before it answers'
  ])
  const told = (node: string, from: string, states: Record<string, string> = {}, family?: Family): string[] => {
    const each = routingOf(`policies:\n  p: ${node}\n  q: { simple: 192.0.2.1 }`)
    return each.explain(0, placeOf(from), healthOf(each.targets, states), family).steps.map(({ depth, text }) => '  '.repeat(depth) + text)
  }
  t.same(told('{ latency: [icn, nrt], on-all-down: last-good }', 'KR', { icn: 'down', nrt: 'down' }), [
    'policy p: latency: icn 50 km ~1 ms, nrt 1209 km ~18 ms', '  icn, nrt are DOWN: skipped',
    'policy p: all down: the last that was up answers (on-all-down: last-good)', 'answer: nrt; all were down (fail-open)'
  ])
  t.same(told('{ failover: [icn, nrt] }', 'KR', {}, 6), ['no target of it has an IPv6 address', 'answer: no address'])
  t.same(told('{ simple: icn, on-all-down: q }', 'KR', { icn: 'drain' }), [
    'policy p: simple: all of icn', '  icn is UP, drained: skipped', 'policy p: all down: on to the policy named by on-all-down',
    '  policy q: simple: all of 192.0.2.1', '    192.0.2.1 is not checked: taken', 'answer: 192.0.2.1'
  ])
  t.same(told('{ geolocation: { US/Chicago: gru, US-IL: syd, default: iad } }', 'Chicago').slice(0, 1), [
    'policy p: geolocation: Chicago, IL, United States (US) goes by US/chicago; if all of it is down, by US-IL, then default'
  ])
  t.same(told('{ geolocation: { continent-SA: gru, country-SA: fra, default: iad } }', 'SA').slice(0, 1), [
    'policy p: geolocation: Saudi Arabia (SA) goes by country-SA; if all of it is down, by default'
  ])
  t.same(told('{ geoproximity: { icn: 0, nrt: 97, fra: -50, 192.0.2.1: 5 } }', 'KR').slice(0, 2), [
    'policy p: geoproximity: nrt 1209 km as 36 km (bias 97), icn 50 km, fra 8569 km as 12854 km (bias -50), 192.0.2.1', '  nrt is UP: taken'
  ])
  t.same(told('{ closest: [icn, nrt, fra, iad], count: 2, within: 8 }', 'KR', { icn: 'down' }), [
    'policy p: closest: the nearest 2, up to 8 times as far as the first, of icn 50 km ~1 ms, nrt 1209 km ~18 ms, fra 8569 km ~129 ms, iad 11154 km ~167 ms',
    '  icn is DOWN: skipped', '  nrt is UP: taken', '  fra is UP: taken', 'answer: nrt + fra'
  ])
  t.same(told('{ closest: [{ failover: [icn], on-all-down: empty }, nrt, fra], count: 1 }', 'KR', { icn: 'down' }).slice(-2), ['  nrt is UP: taken', 'answer: nrt'])
  t.match(candidates[0], { kilometres: 50, milliseconds: 1 })
  for (const [name, verb] of Object.entries(VERBS)) t.ok(verb.does.length > 10, `${name} says what it does`)
})

t.test('a class says nothing of health: other targets, same classes', async (t) => {
  const routing = routingOf(policiesText)
  const before = COUNTRY_LIST.map((name) => routing.classOf(0, placeOf(name)))
  routing.choose(0, before[0]!, healthOf(routing.targets, ALL_DOWN))
  t.same(COUNTRY_LIST.map((name) => routing.classOf(0, placeOf(name))), before)
})
