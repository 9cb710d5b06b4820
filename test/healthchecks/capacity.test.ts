import fc from 'fast-check'
import t from 'tap'
import { firstShare, nextShares, type ShareState } from '../../healthchecks/index.ts'

// A simulated fleet: groups of viewers with their orders of edges, resolvers that go on using an answer for its TTL, and the
// shares that the loads they bring come to.

interface Group {
  readonly order: readonly number[]
  readonly demand: (second: number) => number
}

/** What each edge is given now, as an order is chosen from: its own first, the rest to those that take it, what is left back. */
function assigned(groups: readonly Group[], shares: readonly number[], second: number): number[] {
  const loads = shares.map(() => 0)
  for (const { order, demand } of groups) {
    let left = demand(second)
    for (const [place, edge] of order.entries()) {
      const share = shares[edge]!
      const taken = left * (place === 0 ? Math.min(1, share) : Math.min(1, Math.max(0, share - 1)))
      loads[edge]! += taken
      left -= taken
    }
    loads[order[0]!]! += left
  }
  return loads
}

interface Second {
  readonly loads: readonly number[]
  readonly shares: readonly number[]
}

function simulate(groups: readonly Group[], capacities: readonly number[], seconds: number, ttl: number): Second[] {
  const history: number[][] = []
  const out: Second[] = []
  let states: readonly ShareState[] = capacities.map(() => firstShare)
  let smoothed: number[] | undefined
  for (let second = 0; second < seconds; second++) {
    history.push(assigned(groups, states.map(({ share }) => share), second))
    if (history.length > ttl) history.shift()
    // Of the viewers of now each equal part asked in one of the seconds before.
    const loads = capacities.map((_, edge) => history.reduce((sum, each) => sum + each[edge]!, 0) / history.length)
    smoothed = smoothed?.map((before, edge) => before + (loads[edge]! - before) * 0.2) ?? loads
    const seen = smoothed
    states = nextShares(states, capacities.map((capacity, edge) => ({ load: seen[edge], capacity })), 1000, (ttl + 5) * 1000)
    out.push({ loads, shares: states.map(({ share }) => share) })
  }
  return out
}

const always = (demand: number) => (_second: number): number => demand
const from = (start: number, before: number, after: number) => (second: number): number => (second < start ? before : after)
const spread = (values: readonly number[]): number => Math.max(...values) - Math.min(...values)

t.test('an edge over its capacity sheds just its surplus, to the next one, and then keeps still', async (t) => {
  const run = simulate([{ order: [0, 1, 2], demand: from(50, 80, 150) }, { order: [1, 2, 0], demand: always(30) }, { order: [2, 0, 1], demand: always(30) }], [100, 100, 100], 900, 20)
  const late = run.slice(600)
  t.ok(late.every(({ loads }) => loads[0]! < 105 && loads[0]! > 95), 'it is full')
  t.ok(late.every(({ loads }) => Math.abs(loads[2]! - 30) < 1), 'the third has nothing of it')
  t.ok(spread(late.map(({ loads }) => loads[0]!)) < 3, 'nothing swings')
  t.ok(run.every(({ loads }) => loads[1]! < 100), 'and nobody was pushed over')
})

t.test('a next one with little room takes that much, and the one after it the rest', async (t) => {
  const run = simulate([{ order: [0, 1, 2], demand: from(50, 80, 200) }, { order: [1, 2, 0], demand: always(80) }, { order: [2, 0, 1], demand: always(10) }], [100, 100, 100], 900, 20)
  const late = run.slice(500)
  t.ok(run.every(({ loads }) => loads[1]! <= 100 && loads[2]! <= 105), 'neither was pushed over')
  t.ok(late.every(({ loads }) => loads[0]! < 106))
  t.ok(run.every(({ shares }) => shares[1]! >= 1), 'the next one never sheds its own: no chain')
})

t.test('a next one that is empty and small is not filled past its capacity while the surplus grows', async (t) => {
  for (const ttl of [5, 20, 60]) {
    const run = simulate([{ order: [0, 1, 2], demand: from(30, 150, 400) }], [200, 120, 300], 120 * ttl + 600, ttl)
    const most = Math.max(...run.map(({ loads }) => loads[1]!))
    t.ok(most <= 126, `${most.toFixed(1)} at most, TTL ${ttl}`)
    t.ok(Math.abs(run.at(-1)!.loads[0]! - 200) < 12 && run.at(-1)!.loads[1]! > 100, `${run.at(-1)!.loads.map(Math.round)} in the end`)
  }
})

t.test('when all together have too much, each keeps its own', async (t) => {
  const run = simulate([{ order: [0, 1, 2], demand: from(50, 80, 300) }, { order: [1, 2, 0], demand: always(80) }, { order: [2, 0, 1], demand: always(80) }], [100, 100, 100], 600, 20)
  t.ok(run.slice(200).every(({ loads }) => loads[0]! > 295 && loads[1]! < 85 && loads[2]! < 85))
})

t.test('when the surge is over, each has its own again', async (t) => {
  const surge = (second: number): number => (second >= 50 && second < 500 ? 180 : 80)
  const run = simulate([{ order: [0, 1, 2], demand: surge }, { order: [1, 2, 0], demand: always(60) }, { order: [2, 0, 1], demand: always(30) }], [100, 100, 100], 1200, 20)
  t.match(run.at(-1)!.loads.map(Math.round), [80, 60, 30])
})

t.test('an edge whose load is not known has no limit', async (t) => {
  t.same(nextShares([{ share: 0.5, felt: 0.5 }], [{ load: undefined, capacity: 100 }], 1000, 25_000), [firstShare])
})

t.test('for any fleet and any TTL: shares stay in bounds, settle, and leave nobody worse off than the surplus makes it', async (t) => {
  const fleets = fc.record({
    capacities: fc.array(fc.integer({ min: 50, max: 500 }), { minLength: 4, maxLength: 4 }),
    fills: fc.array(fc.integer({ min: 0, max: 180 }), { minLength: 4, maxLength: 4 }),
    orders: fc.array(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 1, maxLength: 4 }), { minLength: 4, maxLength: 4 }),
    ttl: fc.constantFrom(5, 20, 60)
  })
  t.doesNotThrow(() => fc.assert(fc.property(fleets, ({ capacities, fills, orders, ttl }) => {
    const groups = orders.map((order, index) => ({ order: [index, ...order.filter((edge) => edge !== index)], demand: always((capacities[index]! * fills[index]!) / 100) }))
    const own = groups.map(({ demand }) => demand(0))
    const run = simulate(groups, capacities, 60 * ttl + 600, ttl)
    for (const { shares } of run) for (const share of shares) if (!(share >= 0 && share <= 2)) throw new Error(`a share of ${share}`)
    const late = run.slice(-4 * ttl)
    for (const [edge, capacity] of capacities.entries()) {
      const loads = late.map((each) => each.loads[edge]!)
      if (spread(loads) > 0.12 * capacity) throw new Error(`edge ${edge} of ${capacity} swings by ${spread(loads)}`)
      if (Math.max(...loads) > Math.max(own[edge]!, capacity) * 1.1) throw new Error(`edge ${edge} of ${capacity} with ${own[edge]} of its own has ${Math.max(...loads)}`)
    }
  }), { numRuns: 60 }))
})
