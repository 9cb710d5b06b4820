import t from 'tap'
import { limitWord } from '../../healthchecks/index.ts'
import { edges, healthOf, placeOf, routingOf } from './fleet.ts'

// Edges that may keep a part of their own only: where the rest goes.

/** The share of each edge for a viewer in Korea, in hundredths. `limits`: share 0 to 2, or with the ramp. */
function sharesOf(policy: string, limits: Readonly<Record<string, number | readonly [number, number]>>, down: Readonly<Record<string, string>> = {}): Record<string, number> {
  const routing = routingOf(`policies:\n  p: ${policy}`)
  const health = healthOf(routing.targets, down)
  for (const [name, limit] of Object.entries(limits)) {
    const [share, ramp] = typeof limit === 'number' ? [limit, 1] : limit
    health.limits[edges.findIndex((edge) => edge.name === name)] = limitWord(share, ramp)
  }
  const { alternatives } = routing.choose(0, routing.classOf(0, placeOf('KR')), health)
  const shares: Record<string, number> = {}
  for (const { weight, targets } of alternatives) {
    for (const target of targets) shares[routing.targets[target]!.name] = (shares[routing.targets[target]!.name] ?? 0) + weight * 100
  }
  return Object.fromEntries(Object.entries(shares).map(([name, share]) => [name, Math.round(share)]))
}

t.test('in an order, what one cannot keep goes to the next as far as these take it, and what nobody takes it keeps', async (t) => {
  const order = '{ failover: [icn, nrt, fra] }'
  t.same(sharesOf(order, {}), { icn: 100 })
  t.same(sharesOf(order, { icn: 0.625 }), { icn: 63, nrt: 38 })
  t.same(sharesOf(order, { icn: 0.5, nrt: 1.5 }), { icn: 50, nrt: 25, fra: 25 })
  t.same(sharesOf(order, { icn: 0.5, nrt: 1 }), { icn: 50, fra: 50 }, 'one that is full of its own takes nothing')
  t.same(sharesOf(order, { icn: 0.5, nrt: 1, fra: 0.5 }), { icn: 100 }, 'where nobody takes anything each keeps its own')
  t.same(sharesOf(order, { icn: 0.5, nrt: 1.5, fra: 1 }), { icn: 75, nrt: 25 })
  t.same(sharesOf(order, { icn: 0.5, nrt: 0.5 }, { icn: 'down' }), { nrt: 50, fra: 50 }, 'the next of one that is down has that for its own')
  t.same(sharesOf('{ latency: [icn, nrt, fra] }', { icn: 0.25, nrt: 1.25 }), { icn: 25, nrt: 19, fra: 56 })
})

t.test('by weight, what one cannot keep goes to the others by their weights', async (t) => {
  const weighted = '{ weighted: { icn: 50, nrt: 30, fra: 20 } }'
  t.same(sharesOf(weighted, { icn: 0.5 }), { icn: 25, nrt: 45, fra: 30 })
  t.same(sharesOf(weighted, { icn: 0.5, nrt: 1 }), { icn: 40, nrt: 30, fra: 30 }, 'what one does not take stays where it was')
  t.same(sharesOf(weighted, { icn: 0.5, nrt: 0.5, fra: 0.5 }), { icn: 50, nrt: 30, fra: 20 })
  t.same(sharesOf('{ weighted: { icn: 50, nrt: 50 }, sticky: client }', { icn: 0.5 }), { icn: 25, nrt: 75 })
})

t.test('a weight comes back slowly after an outage; an order takes its edge back at once', async (t) => {
  t.same(sharesOf('{ weighted: { icn: 50, nrt: 50 } }', { icn: [2, 0.25] }), { icn: 20, nrt: 80 })
  t.same(sharesOf('{ failover: [icn, nrt] }', { icn: [2, 0.25] }), { icn: 100 })
  t.same(sharesOf('{ weighted: { icn: 50, nrt: 50 } }', { icn: [2, 0.125] }, { nrt: 'down' }), { icn: 100 }, 'alone it has all of it')
})

t.test('answers of several edges leave one out for a part of the viewers', async (t) => {
  t.same(sharesOf('{ multivalue: [icn, nrt, fra] }', { icn: 0.5, nrt: 0.75 }), { icn: 50, nrt: 75, fra: 100 })
  t.same(sharesOf('{ closest: [icn, nrt, fra], count: 2 }', { icn: 0.5 }), { icn: 50, nrt: 100, fra: 50 })
  t.same(sharesOf('{ closest: [icn, nrt, fra], count: 1 }', { icn: 0.5 }), { icn: 50, nrt: 50 })
})

t.test('explain tells what load leaves an edge', async (t) => {
  const routing = routingOf('policies:\n  p: { failover: [icn, nrt] }')
  const health = healthOf(routing.targets, {})
  health.limits[0] = limitWord(0.625, 1)
  const { steps, candidates } = routing.explain(0, placeOf('KR'), health)
  t.match(candidates[0], { target: 'icn', state: 'UP, over its capacity (keeps 63 % of its own)', why: '62.5 % of the answers' })
  t.match(candidates[1], { target: 'nrt', state: 'UP', why: '37.5 % of the answers' })
  t.match(steps.at(-1), { text: 'answer: icn 62.5 %, nrt 37.5 %' })
})
