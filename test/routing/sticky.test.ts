import fc from 'fast-check'
import t from 'tap'
import { drawFor, mix, type Choice, type Routing } from '../../daemon/routing/index.ts'
import { edges, healthOf, routingOf } from './fleet.ts'

// What goes by who asks: shares as the weights say, and no client that moves without need.

t.setTimeout(240_000)
const CLIENTS = Array.from({ length: 6000 }, (_, number) => mix(number))
/** So far may a share of so many be from what it should be: five times the standard deviation. */
const far = (share: number): number => 5 * Math.sqrt((share * (1 - share)) / CLIENTS.length)

const noChance = (): number => {
  throw new Error('drawn at random')
}

/** The edges that each client is answered with: by its key alone, chance having no part. */
function drawnOf(routing: Routing, states: Readonly<Record<string, string>> = {}, policy = 0): string[] {
  const choice = routing.choose(policy, routing.classOf(policy, 0), healthOf(routing.targets, states))
  return CLIENTS.map((client) => answerOf(routing, choice, client))
}

function answerOf(routing: Routing, { alternatives, draw }: Choice, client: number): string {
  const drawn = draw === undefined ? 0 : drawFor(draw, client, client, noChance)
  if (draw === undefined && alternatives.length > 1) throw new Error('nothing to draw by')
  return alternatives[drawn]!.targets.map((target) => routing.targets[target]!.name).join('+')
}

function sharesOf(drawn: readonly string[]): Map<string, number> {
  const shares = new Map<string, number>()
  for (const name of drawn) shares.set(name, (shares.get(name) ?? 0) + 1 / drawn.length)
  return shares
}

const policy = (tree: object): Routing => routingOf(JSON.stringify({ policies: { p: tree } }))

t.test('sticky shares are those of the weights', async (t) => {
  const shares = sharesOf(drawnOf(policy({ weighted: { icn: 5, nrt: 60, fra: 180, iad: 0 }, sticky: 'client' })))
  for (const [name, weight] of [['icn', 5], ['nrt', 60], ['fra', 180]] as const) {
    const expected = weight / 245
    t.ok(Math.abs(shares.get(name)! - expected) < far(expected), `${name}: ${shares.get(name)!.toFixed(4)} for ${expected.toFixed(4)}`)
  }
  t.notOk(shares.has('iad'), 'weight 0 is a last resort')
})

const weights = fc.dictionary(fc.constantFrom(...edges.map(({ name }) => name)), fc.integer({ min: 1, max: 255 }), { minKeys: 2 })

t.test('what goes down moves its own clients, and what comes back has the same again', async (t) => {
  t.doesNotThrow(() => fc.assert(fc.property(weights, fc.nat(), (weighted, which) => {
    const routing = policy({ weighted, sticky: 'client' })
    const lost = Object.keys(weighted)[which % Object.keys(weighted).length]!
    const before = drawnOf(routing)
    const after = drawnOf(routing, { [lost]: 'down' })
    for (const [client, name] of before.entries()) if (name !== lost && after[client] !== name) throw new Error(`${name} lost a client while ${lost} is down`)
    if (after.includes(lost)) throw new Error(`${lost} is down and answered`)
  }), { numRuns: 15 }))
})

t.test('a weight that grows takes clients, and one that shrinks gives them away: nobody else moves', async (t) => {
  t.doesNotThrow(() => fc.assert(fc.property(weights, fc.nat(), fc.integer({ min: 1, max: 255 }), (weighted, which, weight) => {
    const [name, old] = Object.entries(weighted)[which % Object.keys(weighted).length]!
    const before = drawnOf(policy({ weighted, sticky: 'client' }))
    const after = drawnOf(policy({ weighted: { ...weighted, [name]: weight }, sticky: 'client' }))
    for (const [client, from] of before.entries()) {
      const to = after[client]!
      if (from !== to && (weight > old ? to : from) !== name) throw new Error(`${name} from ${old} to ${weight}: a client moved from ${from} to ${to}`)
    }
  }), { numRuns: 15 }))
})

t.test('the order in which branches are written has no say', async (t) => {
  t.same(drawnOf(policy({ weighted: { icn: 1, nrt: 2, fra: 3 }, sticky: 'client' })), drawnOf(policy({ weighted: { fra: 3, icn: 1, nrt: 2 }, sticky: 'client' })))
})

t.test('what happens below one branch moves nobody of another', async (t) => {
  const routing = policy({ weighted: [{ weight: 1, to: { failover: ['icn', 'nrt'] } }, { weight: 1, to: { weighted: { fra: 1, iad: 1 }, sticky: 'client' } }, { weight: 1, to: 'gru' }], sticky: 'client' })
  const before = drawnOf(routing)
  t.same(drawnOf(routing, { icn: 'down' }), before.map((name) => (name === 'icn' ? 'nrt' : name)))
  t.same(drawnOf(routing, { fra: 'down' }), before.map((name) => (name === 'fra' ? 'iad' : name)))
  const shares = sharesOf(before)
  for (const name of ['fra', 'iad']) t.ok(Math.abs(shares.get(name)! - 1 / 6) < far(1 / 6), `the inner choice goes not by the outer: ${name} ${shares.get(name)}`)
})

t.test('members of a set are drawn each for itself', async (t) => {
  const routing = policy({ simple: [{ weighted: { icn: 1, nrt: 1 }, sticky: 'client' }, { weighted: { fra: 1, gru: 3 }, sticky: 'client' }] })
  const shares = sharesOf(drawnOf(routing))
  for (const [name, share] of [['icn+fra', 1 / 8], ['nrt+gru', 3 / 8]] as const) t.ok(Math.abs(shares.get(name)! - share) < far(share), `${name} ${shares.get(name)}`)
})

const capacities = fc.array(fc.integer({ min: 100, max: 20_000 }), { minLength: 2, maxLength: 40 })

t.test('hash: no branch has more than 1.25 times its share of the hash space, and few move that need not', async (t) => {
  let moved = 0
  let all = 0
  t.doesNotThrow(() => fc.assert(fc.property(capacities, fc.nat(), (list, which) => {
    const targets = list.map((capacity, number) => ({ name: `e${number}`, checked: true, ipv4: [Uint8Array.of(192, 0, 2, number)], ipv6: [], capacity }))
    const routing = routingOf(JSON.stringify({ policies: { p: { hash: targets.map(({ name }) => name) } } }), targets)
    const lost = `e${which % list.length}`
    const before = drawnOf(routing)
    for (const [without, drawn] of [[undefined, before], [lost, drawnOf(routing, { [lost]: 'down' })]] as const) {
      const total = targets.reduce((sum, { name, capacity }) => (name === without ? sum : sum + capacity), 0)
      for (const [name, share] of sharesOf(drawn)) {
        // A branch of less than one slot has that one.
        const most = Math.max(1 / 4096, (1.25 * targets.find((target) => target.name === name)!.capacity) / total)
        if (share > most + far(most) + 1 / 4096) throw new Error(`${name} has ${share}, at most ${most}`)
      }
      for (const [client, name] of drawn.entries()) {
        if (without === undefined || before[client] === lost) continue
        all++
        if (name !== before[client]) moved++
      }
    }
  }), { numRuns: 12 }))
  t.ok(moved / all < 0.02, `${((100 * moved) / all).toFixed(2)} % of those whose branch stayed have moved`)
})

t.test('what is said wrong is told', async (t) => {
  const refused = (tree: object, words: RegExp): void => { t.throws(() => policy(tree), words) }
  refused({ weighted: { icn: 1 }, sticky: 'viewer' }, /sticky: expected client or name/)
  refused({ hash: ['icn', 'nrt'], on: 'subnet' }, /on: expected client or name/)
  refused({ failover: ['icn', 'nrt'], sticky: 'client' }, /unknown key sticky beside failover/)
  refused({ hash: [] }, /hash holds no branch/)
})
