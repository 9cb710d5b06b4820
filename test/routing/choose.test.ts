import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { openRouting, readPolicies, VERBS, type Choice, type Family, type Routing, type Target } from '../../daemon/routing/index.ts'
import { isAnswerable, isForcedOut, type HealthTable } from '../../healthchecks/index.ts'
import { COUNTRIES, type Place } from '../../geodb/index.ts'
import { edges, healthOf, policiesText, somePlaces } from './fleet.ts'

const inCountry = (country: string): Partial<Place> => ({ country, latitude: COUNTRIES[country]![0], longitude: COUNTRIES[country]![1], continent: COUNTRIES[country]![2] })
const COUNTRY_LIST = ['KR', 'NL', 'BR', 'US', 'AU', 'ZA', 'SA', 'JP', 'IN'] as const
const places = somePlaces([{}, ...COUNTRY_LIST.map(inCountry), { continent: 'EU' }])
const placeOf = (country: string): number => COUNTRY_LIST.indexOf(country as (typeof COUNTRY_LIST)[number]) + 1

function routingOf(text: string, targets = edges): Routing {
  const { image, faults } = readPolicies({ file: 'p', text, targets })
  if (image === undefined) throw new Error(faults.map(({ reason }) => reason).join('\n'))
  return openRouting(image, places)
}

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
    ['{ latency: [icn, nrt, fra, iad, gru, syd] }', 'ZA', {}, 'gru'],
    ['{ latency: [icn, nrt, fra, iad, gru, syd] }', 'ZA', { gru: 'down' }, 'fra cut'],
    ['{ latency: [syd, fra] }', 'unknown', {}, 'syd'],
    ['{ latency: [192.0.2.1, syd, fra] }', 'NL', {}, 'fra'],
    ['{ latency: [192.0.2.1, syd, fra] }', 'NL', { syd: 'down', fra: 'down' }, '192.0.2.1 cut'],
    ['{ latency: [{ failover: [iad, icn] }, nrt] }', 'KR', {}, 'iad'],
    ['{ weighted: [{ weight: 27, to: { weighted: { icn: 84, nrt: 2 } } }] }', 'KR', {}, 'icn 97.67 | nrt 2.33'],
    ['icn', 'KR', {}, 'icn'],
    ['192.0.2.1', 'KR', {}, '192.0.2.1']
  ]
  for (const [node, country, states, expected] of cases) t.equal(decide(routingOf(`policies:\n  p: ${node}`), 'p', country, states), expected, `${node} from ${country}, ${JSON.stringify(states)}`)
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
    ['p: { failover: [{ latency: [icn, nrt], on-all-down: empty }, fra] }', { icn: 'down', nrt: 'down' }, 'nothing cut'],
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
  const routing = routingOf(`${policiesText}\n  fixed: { failover: [icn, nrt] }\n`)
  const classOf = (name: string, country: string): number => routing.classOf(routing.find(name)!, placeOf(country))
  t.equal(routing.usesPlace(routing.find('fixed')!), false)
  t.equal(routing.usesPlace(routing.find('canary')!), true)
  t.equal(classOf('fixed', 'KR'), classOf('fixed', 'BR'))
  t.not(classOf('video', 'KR'), classOf('video', 'JP'))
  t.equal(classOf('video', 'KR'), classOf('video', 'KR'), 'asked again')
  t.equal(routing.find('nothing'), undefined)
  for (const [korea, japan] of [
    ['{ simple: [icn, nrt, fra], count: 1 }', '{ simple: [icn, nrt, fra], count: 2 }'], ['{ weighted: { icn: 1, nrt: 1 } }', '{ weighted: { icn: 1, nrt: 2 } }'],
    ['{ failover: [icn, nrt], on-all-down: empty }', '{ failover: [icn, nrt] }'], ['{ simple: icn, on-all-down: fixed }', '{ simple: icn, on-all-down: other }'],
    ['{ failover: [icn, nrt] }', '{ simple: [icn, nrt] }'], ['{ failover: [icn, nrt] }', '{ failover: [nrt, icn] }']
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
    const tight = openRouting(image!, places, limits)
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
  t.throws(() => plenty.choose(0, 999, health), { message: 'policy 0 has no place class 999' })
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
  t.same(told('{ geolocation: { continent-SA: gru, country-SA: fra, default: iad } }', 'SA').slice(0, 1), [
    'policy p: geolocation: Saudi Arabia (SA) goes by country-SA; if all of it is down, by default'
  ])
  t.match(candidates[0], { kilometres: 50, milliseconds: 1 })
  for (const [name, verb] of Object.entries(VERBS)) t.ok(verb.does.length > 10, `${name} says what it does`)
})

// Random trees over the fleet and some addresses, as an operator could write them.
const leaf = fc.constantFrom('icn', 'nrt', 'fra', 'iad', 'gru', 'syd', '192.0.2.1', '2001:db8::1')
const onAllDown = fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom('all', 'last-good', 'empty', 'other') })
const { node } = fc.letrec<{ node: unknown; branch: unknown }>((tie) => {
  const branch = tie('branch')
  const arms = fc.uniqueArray(branch, { minLength: 1, maxLength: 4, selector: (item) => JSON.stringify(item) })
  const withElse = (verb: fc.Arbitrary<object>): fc.Arbitrary<object> => fc.tuple(verb, onAllDown).map(([value, name]) => (name === undefined ? value : { ...value, 'on-all-down': name }))
  return {
    branch: fc.oneof({ depthSize: 'small', withCrossShrink: true }, leaf, tie('node')),
    node: fc.oneof(
      withElse(arms.map((failover) => ({ failover }))),
      withElse(arms.map((latency) => ({ latency }))),
      withElse(fc.tuple(fc.uniqueArray(leaf, { minLength: 1, maxLength: 4 }), fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined })).map(([simple, count]) => (count === undefined ? { simple } : { simple, count }))),
      withElse(arms.chain((list) => fc.tuple(...list.map((to) => fc.integer({ min: 0, max: 255 }).map((weight) => ({ weight, to }))))).map((weighted) => ({ weighted }))),
      withElse(fc.dictionary(fc.constantFrom('KR', 'US', 'EU', 'continent-AS', 'country-SA', 'continent-SA'), branch, { maxKeys: 4 }).chain((map) => branch.map((byDefault) => ({ geolocation: { ...map, default: byDefault } }))))
    )
  }
})
const states = fc.dictionary(fc.constantFrom(...edges.map(({ name }) => name)), fc.constantFrom('down', 'down', 'down', 'suspect', 'drain', 'forced-down', 'forced-up', 'unknown', 'down-and-forced-down'))
const country = fc.constantFrom('unknown', ...COUNTRY_LIST)
const family = fc.constantFrom(4, 6, undefined)

/** Every target that a written tree names, in any branch. */
function named(value: unknown): Set<string> {
  if (typeof value === 'string') return new Set([value === 'other' ? 'syd' : value])
  return new Set(Object.entries(value as object).flatMap(([key, inner]) => (key === 'weight' || key === 'count' ? [] : [...named(inner)])))
}

function open(tree: unknown): Routing {
  return routingOf(JSON.stringify({ policies: { p: tree, other: { simple: 'syd' } } }), edges.map((edge) => (edge.name === 'fra' ? { ...edge, ipv6: [new Uint8Array(16)] } : edge)))
}

const isUp = (routing: Routing, health: HealthTable, target: number): boolean => !routing.targets[target]!.checked || isAnswerable(health.words[target]!)

t.test('for any tree and any health', async (t) => {
  t.doesNotThrow(() => fc.assert(fc.property(node, states, country, family, (tree, down, from, asked) => {
    const routing = open(tree)
    const health = healthOf(routing.targets, down)
    const place = placeOf(from)
    const choice = routing.choose(0, routing.classOf(0, place), health, asked)
    const answered = new Set(choice.alternatives.flatMap(({ targets }) => targets))
    const { steps, candidates, ...explained } = routing.explain(0, place, health, asked)
    const byName = new Map(routing.targets.map((target, number) => [target.name, number]))
    const hasFamily = (number: number): boolean => asked === undefined || (asked === 4 ? routing.targets[number]!.ipv4 : routing.targets[number]!.ipv6).length > 0
    const allowed = candidates.map(({ target }) => byName.get(target)!).filter(hasFamily)

    const written = named(tree)
    for (const number of answered) {
      if (!written.has(routing.targets[number]!.name)) throw new Error(`${routing.targets[number]!.name} is not in the policy`)
      if (!hasFamily(number)) throw new Error('an answer without an address of the family')
      // Without fail-open nothing that is down is answered; with it, nothing that is held down beside anything that is not.
      if (!choice.failOpen && !isUp(routing, health, number)) throw new Error('one that is down is answered without fail-open')
      const isHeld = (each: number): boolean => routing.targets[each]!.checked && isForcedOut(health.words[each]!)
      if (isHeld(number) && allowed.some((each) => !isHeld(each))) throw new Error('one that is forced out is answered beside others')
    }
    const isSaid = JSON.stringify(tree).includes('on-all-down')
    if (!isSaid) {
      const someUp = allowed.some((number) => isUp(routing, health, number))
      if (choice.failOpen && someUp) throw new Error('fail-open while one that is up is allowed')
      if (allowed.length > 0 && answered.size === 0) throw new Error('no answer')
    }
    const sum = choice.alternatives.reduce((total, { weight }) => total + weight, 0)
    if (choice.alternatives.length > 0 && Math.abs(sum - 1) > 1e-9) throw new Error(`shares add up to ${sum}`)
    if (choice.alternatives.some(({ weight, targets }) => weight <= 0 || targets.length === 0)) throw new Error('an empty alternative')

    if (JSON.stringify(explained.choice) !== JSON.stringify(choice)) throw new Error('explained otherwise than chosen')
    if (JSON.stringify(routing.choose(0, routing.classOf(0, place), health, asked)) !== JSON.stringify(choice)) throw new Error('chosen otherwise the second time')
    const chosen = candidates.filter((each) => each.chosen).map((each) => byName.get(each.target)!)
    if (chosen.length !== answered.size || !chosen.every((number) => answered.has(number))) throw new Error('candidates and choice disagree')
    if (steps.length === 0) throw new Error('no reason')
  }), { numRuns: 600 }))
})

// What the verbs are defined to do, written straight from their definitions over the text, without orders and classes.

interface Asked {
  readonly place: Partial<Place>
  isUp(name: string): boolean
}

type Written = string | { readonly [key: string]: unknown }

function expectedAnswers(tree: Written, asked: Asked): readonly string[] {
  if (tree === 'other') return expectedAnswers('syd', asked)
  if (typeof tree === 'string') return asked.isUp(tree) ? [tree] : []
  const first = (branches: readonly Written[]): readonly string[] => branches.map((branch) => expectedAnswers(branch, asked)).find((names) => names.length > 0) ?? []
  const every = (branches: readonly Written[]): readonly string[] => branches.flatMap((branch) => expectedAnswers(branch, asked))
  if ('failover' in tree) return first(tree['failover'] as Written[])
  if ('simple' in tree) return every(tree['simple'] as Written[])
  if ('latency' in tree) {
    const list = (tree['latency'] as Written[]).map((branch, index) => ({ branch, index, ms: expectedMs(branch, asked) }))
    return first(list.sort((a, b) => a.ms - b.ms || a.index - b.index).map(({ branch }) => branch))
  }
  if ('weighted' in tree) {
    const arms = tree['weighted'] as { weight: number; to: Written }[]
    const heavy = every(arms.filter(({ weight }) => weight > 0).map(({ to }) => to))
    return heavy.length > 0 ? heavy : every(arms.map(({ to }) => to))
  }
  return first(expectedBranches(tree['geolocation'] as Record<string, Written>, asked))
}

function expectedBranches(map: Record<string, Written>, { place: { country, continent } }: Asked): Written[] {
  const isBoth = country === 'SA'
  const byCountry = map[`country-${country}`] ?? (isBoth ? undefined : map[country ?? ''])
  return [byCountry, map[`continent-${continent}`] ?? map[continent ?? ''], map['default']].filter((branch) => branch !== undefined)
}

/** Milliseconds to the nearest target that a branch can come to from there, by the law of cosines. */
function expectedMs(tree: Written, asked: Asked): number {
  if (typeof tree !== 'string') {
    const inner = 'geolocation' in tree ? expectedBranches(tree['geolocation'] as Record<string, Written>, asked) : (Object.values(tree)[0] as (Written | { to: Written })[]).map((item) => (typeof item === 'object' && 'to' in item ? (item.to as Written) : (item as Written)))
    return Math.min(...inner.map((branch) => expectedMs(branch, asked)))
  }
  const { latitude, longitude } = asked.place
  const at = edges.find(({ name }) => name === tree)?.at
  if (at === undefined || latitude === undefined || longitude === undefined) return Number.MAX_SAFE_INTEGER
  const [a, b, turn] = [latitude, at[0], longitude - at[1]].map((degrees) => (degrees * Math.PI) / 180) as [number, number, number]
  const angle = Math.acos(Math.min(1, Math.sin(a) * Math.sin(b) + Math.cos(a) * Math.cos(b) * Math.cos(turn)))
  return Math.round((angle * 6371 * 1.5) / 100)
}

t.test('the targets answered are those that the definitions of the verbs come to', async (t) => {
  let compared = 0
  t.doesNotThrow(() => fc.assert(fc.property(node, states, country, (whole, down, from) => {
    const tree: unknown = JSON.parse(JSON.stringify(whole, (key, value: unknown) => (key === 'on-all-down' ? undefined : value)))
    const routing = open(tree)
    const health = healthOf(routing.targets, down)
    const isAbleTo = (name: string): boolean => isUp(routing, health, routing.targets.findIndex((target) => target.name === name))
    const expected = new Set(expectedAnswers(tree as Written, { place: places.place(placeOf(from)), isUp: isAbleTo }))
    const choice = routing.choose(0, routing.classOf(0, placeOf(from)), health)
    if (expected.size === 0) {
      assert.ok(choice.failOpen)
      return
    }
    compared++
    assert.deepEqual(new Set(choice.alternatives.flatMap(({ targets }) => targets.map((target) => routing.targets[target]!.name))), expected)
  }), { numRuns: 600 }))
  t.ok(compared > 300, `${compared} compared`)
})

t.test('places of one class get the same choices', async (t) => {
  t.doesNotThrow(() => fc.assert(fc.property(node, states, (tree, down) => {
    const routing = open(tree)
    const health = healthOf(routing.targets, down)
    const byClass = new Map<number, string>()
    for (let place = 0; place < places.size; place++) {
      const placeClass = routing.classOf(0, place)
      // The explanation goes by the place itself, without classes.
      const choice = JSON.stringify(routing.explain(0, place, health).choice)
      const before = byClass.get(placeClass)
      if (before !== undefined && before !== choice) throw new Error(`class ${placeClass}: ${before} and ${choice}`)
      byClass.set(placeClass, choice)
    }
  }), { numRuns: 300 }))
})

t.test('a class says nothing of health: other targets, same classes', async (t) => {
  const routing = routingOf(policiesText)
  const before = COUNTRY_LIST.map((name) => routing.classOf(0, placeOf(name)))
  routing.choose(0, before[0]!, healthOf(routing.targets, ALL_DOWN))
  t.same(COUNTRY_LIST.map((name) => routing.classOf(0, placeOf(name))), before)
})
