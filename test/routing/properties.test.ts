import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { drawFor, mix, openRouting, type Routing } from '../../daemon/routing/index.ts'
import { isAnswerable, isForcedOut, limitWord, type HealthTable } from '../../healthchecks/index.ts'
import type { Place } from '../../geodb/index.ts'
import { COUNTRY_LIST, edges, healthOf, imageOf, placeOf, places } from './fleet.ts'

// Random trees over the fleet and some addresses, as an operator could write them.
const leaf = fc.constantFrom('icn', 'nrt', 'fra', 'iad', 'gru', 'syd', '192.0.2.1', '2001:db8::1')
const by = fc.constantFrom('client', 'name')
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
      withElse(arms.chain((list) => fc.tuple(...list.map((to) => fc.integer({ min: -99, max: 99 }).map((bias) => ({ bias, to }))))).map((geoproximity) => ({ geoproximity }))),
      withElse(fc.tuple(arms, fc.integer({ min: 1, max: 3 }), fc.option(fc.constantFrom(1, 1.5, 3, 20), { nil: undefined })).map(([closest, count, within]) => ({ closest, count, ...(within !== undefined && { within }) }))),
      withElse(arms.map((multivalue) => ({ multivalue }))),
      withElse(fc.tuple(fc.uniqueArray(leaf, { minLength: 1, maxLength: 4 }), fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined })).map(([simple, count]) => (count === undefined ? { simple } : { simple, count }))),
      withElse(arms.chain((list) => fc.tuple(...list.map((to) => fc.integer({ min: 0, max: 255 }).map((weight) => ({ weight, to }))))).map((weighted) => ({ weighted }))),
      withElse(fc.tuple(arms, by).map(([hash, on]) => ({ hash, on }))),
      withElse(fc.tuple(fc.dictionary(leaf, fc.integer({ min: 0, max: 255 }), { minKeys: 1, maxKeys: 4 }), by).map(([map, sticky]) => ({ weighted: Object.entries(map).map(([to, weight]) => ({ weight, to })), sticky }))),
      withElse(fc.dictionary(fc.constantFrom('KR', 'US', 'EU', 'continent-AS', 'country-SA', 'continent-SA'), branch, { maxKeys: 4 }).chain((map) => branch.map((byDefault) => ({ geolocation: { ...map, default: byDefault } }))))
    )
  }
})
const states = fc.dictionary(fc.constantFrom(...edges.map(({ name }) => name)), fc.constantFrom('down', 'down', 'down', 'suspect', 'drain', 'forced-down', 'forced-up', 'unknown', 'down-and-forced-down'))
const limits = fc.dictionary(fc.constantFrom(...edges.map(({ name }) => name)), fc.tuple(fc.constantFrom(1 / 16, 0.3, 0.6, 0.99, 1, 1.1, 1.5, 2), fc.constantFrom(0.125, 0.5, 1)))
const country = fc.constantFrom('unknown', ...COUNTRY_LIST)
const family = fc.constantFrom(4, 6, undefined)

/** Every target that a written tree names, in any branch. */
function named(value: unknown): Set<string> {
  if (typeof value === 'string') return new Set([value === 'other' ? 'syd' : value])
  return new Set(Object.entries(value as object).flatMap(([key, inner]) => (key === 'weight' || key === 'bias' || key === 'within' || key === 'count' || key === 'sticky' || key === 'on' ? [] : [...named(inner)])))
}

function open(tree: unknown): Routing {
  const targets = edges.map((edge) => (edge.name === 'fra' ? { ...edge, ipv6: [new Uint8Array(16)] } : edge))
  return openRouting(imageOf({ text: JSON.stringify({ policies: { p: tree, other: { simple: 'syd' } } }), targets, isRandom: true }).image, places)
}

const isUp = (routing: Routing, health: HealthTable, target: number): boolean => !routing.targets[target]!.checked || isAnswerable(health.words[target]!)

t.test('for any tree and any health', async (t) => {
  t.doesNotThrow(() => fc.assert(fc.property(node, states, fc.oneof(fc.constant({}), limits), country, family, (tree, down, limited, from, asked) => {
    const routing = open(tree)
    const health = healthOf(routing.targets, down)
    for (const [name, [share, ramp]] of Object.entries(limited)) health.limits[routing.targets.findIndex((each) => each.name === name)] = limitWord(share, ramp)
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
    // By who asks: the same client, the same choice, and one that is allowed.
    if (choice.draw !== undefined) {
      for (let client = 0; client < 8; client++) {
        const [first, second] = [1, 1].map((seed) => drawFor(choice.draw!, mix(client), mix(client + 100), () => mix(seed)))
        if (first !== second || choice.alternatives[first!] === undefined) throw new Error(`drawn ${first} and ${second}`)
      }
    }
    const chosen = candidates.filter((each) => each.chosen).map((each) => byName.get(each.target)!)
    if (chosen.length !== answered.size || !chosen.every((number) => answered.has(number))) throw new Error('candidates and choice disagree')
    if (steps.length === 0) throw new Error('no reason')
  }), { numRuns: 400 }))
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
  if ('hash' in tree) return every(tree['hash'] as Written[])
  if ('multivalue' in tree) return every(tree['multivalue'] as Written[])
  if ('latency' in tree) {
    const list = (tree['latency'] as Written[]).map((branch, index) => ({ branch, index, ms: expectedMs(branch, asked) }))
    return first(list.sort((a, b) => (a.ms === b.ms ? 0 : a.ms - b.ms) || a.index - b.index).map(({ branch }) => branch))
  }
  if ('closest' in tree) {
    const { count, within = Infinity } = tree as { count: number; within?: number }
    const able = (tree['closest'] as Written[]).flatMap((branch, index) => {
      const names = expectedAnswers(branch, asked)
      return names.length === 0 ? [] : [{ names, index, ms: expectedMs(branch, asked) }]
    }).sort((a, b) => (a.ms === b.ms ? 0 : a.ms - b.ms) || a.index - b.index)
    return able.filter(({ ms }) => ms <= Math.max(1, able[0]!.ms) * within).slice(0, count).flatMap(({ names }) => names)
  }
  if ('geoproximity' in tree) {
    const list = (tree['geoproximity'] as { bias: number; to: Written }[]).map(({ bias, to }, index) => ({ to, index, far: (expectedKilometres(to, asked) * (100 - bias)) / 100 }))
    return first(list.sort((a, b) => (Math.abs(a.far - b.far) < 1e-6 || a.far === b.far ? a.index - b.index : a.far - b.far)).map(({ to }) => to))
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

/** Estimated round trip to the nearest target of a branch, whole milliseconds. */
function expectedMs(tree: Written, asked: Asked): number {
  return Math.round((expectedKilometres(tree, asked) * 1.5) / 100)
}

/** To the nearest target that a branch can come to from there, by the law of cosines. */
function expectedKilometres(tree: Written, asked: Asked): number {
  if (typeof tree !== 'string') {
    const inner = 'geolocation' in tree ? expectedBranches(tree['geolocation'] as Record<string, Written>, asked) : (Object.values(tree)[0] as (Written | { to: Written })[]).map((item) => (typeof item === 'object' && 'to' in item ? (item.to as Written) : (item as Written)))
    return Math.min(...inner.map((branch) => expectedKilometres(branch, asked)))
  }
  const { latitude, longitude } = asked.place
  const at = edges.find(({ name }) => name === tree)?.at
  if (at === undefined || latitude === undefined || longitude === undefined) return Infinity
  const [a, b, turn] = [latitude, at[0], longitude - at[1]].map((degrees) => (degrees * Math.PI) / 180) as [number, number, number]
  const angle = Math.acos(Math.min(1, Math.sin(a) * Math.sin(b) + Math.cos(a) * Math.cos(b) * Math.cos(turn)))
  return angle * 6371
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
  }), { numRuns: 400 }))
  t.ok(compared > 200, `${compared} compared`)
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
  }), { numRuns: 200 }))
})
