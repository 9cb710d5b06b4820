import t from 'tap'
import { parsePrefix } from '../../core/address.ts'
import { openRouting, readPolicies, type Routing, type Target } from '../../daemon/routing/index.ts'
import { buildNetworks, openNetworks } from '../../geodb/index.ts'
import { edges, healthOf, placeOf, places } from './fleet.ts'

const fleet: readonly Target[] = edges.map((edge) => ({ ...edge, capacity: edge.name === 'fra' ? 10_000 : 5000 }))
const networks = openNetworks(buildNetworks({ named: [], paths: [{ prefix: parsePrefix('192.0.2.0/24')!, lengths: { icn: 4, fra: 1 } }] })!)

function open(text: string): Routing {
  const { image, faults } = readPolicies({ file: 'p', text: `policies:\n  p: ${text}\n`, targets: fleet })
  if (image === undefined) throw new Error(faults.map(({ reason }) => reason).join('\n'))
  return openRouting(image, places, networks)
}

/** Who is answered, and what explain says. */
function ask(routing: Routing, from: string, states: Readonly<Record<string, string>> = {}, network = 0): { readonly answer: string; readonly steps: string } {
  const health = healthOf(routing.targets, states)
  const place = placeOf(from)
  const { alternatives } = routing.choose(0, routing.classOf(0, place, network), health, 4)
  const { steps, choice } = routing.explain(0, place, health, 4, network)
  if (JSON.stringify(choice.alternatives) !== JSON.stringify(alternatives)) throw new Error('explained otherwise than chosen')
  return { answer: alternatives.flatMap(({ targets }) => targets.map((target) => routing.targets[target]!.name)).join(), steps: steps.map(({ text }) => text).join('\n') }
}

t.test('the highest sum answers, and every term of it is told', async (t) => {
  const routing = open('{ score: [icn, nrt, fra] }')
  const korea = ask(routing, 'KR')
  t.equal(korea.answer, 'icn')
  t.match(korea.steps, /score: path 0\.30, latency 0\.40, capacity 0\.20, health 0\.10/)
  t.match(korea.steps, /^icn 0\.75 = path 0\.15 \(not known\) \+ latency 0\.40 \(~1 ms\) \+ capacity 0\.10 \(5000\/s\) \+ health 0\.10 \(up\)$/m)
  t.match(korea.steps, /^fra 0\.45 = path 0\.15 \(not known\) \+ latency 0\.00 \(~\d+ ms\) \+ capacity 0\.20 \(10000\/s\) \+ health 0\.10 \(up\)$/m)
  t.equal(ask(routing, 'NL').answer, 'fra')
})

t.test('paths count where they are known, and are nobody\'s loss where they are not', async (t) => {
  const routing = open('{ score: [icn, fra], weights: { path: 10 } }')
  t.equal(routing.usesNetwork(0), true)
  const found = networks.find4(0xc0000201) >>> 8
  t.equal(ask(routing, 'KR').answer, 'icn')
  const known = ask(routing, 'KR', {}, found)
  t.equal(known.answer, 'fra')
  t.match(known.steps, /^fra .*path 0\.93 \(1 AS\)/m)
  t.match(known.steps, /^icn .*path 0\.23 \(4 ASes\)/m)
  t.not(routing.classOf(0, placeOf('KR'), found), routing.classOf(0, placeOf('KR'), 0))
})

t.test('health has a part in the order, as it is when the choice is made', async (t) => {
  const routing = open('{ score: [icn, nrt], weights: { latency: 0.05, capacity: 0, path: 0 } }')
  t.equal(ask(routing, 'KR').answer, 'icn')
  t.equal(ask(routing, 'KR', { icn: 'suspect' }).answer, 'nrt', 'a suspect one goes behind one that is up, where health weighs more than the way')
  t.match(ask(routing, 'KR', { icn: 'suspect' }).steps, /health 0\.33 \(suspect\)/)
  t.equal(ask(routing, 'KR', { icn: 'suspect', nrt: 'suspect' }).answer, 'icn')
  t.equal(ask(routing, 'KR', { icn: 'down' }).answer, 'nrt')
  t.equal(ask(routing, 'KR', { icn: 'down', nrt: 'down' }).answer, 'icn', 'all down: as if all were up')
  t.equal(ask(open('{ score: [icn, nrt], weights: { latency: 1, health: 0.01 } }'), 'KR', { icn: 'suspect' }).answer, 'icn', 'and stays before it where it does not')
})

t.test('every mistype of weights is told', async (t) => {
  const faults = (weights: string): string[] => readPolicies({ file: 'p', text: `policies:\n  p: { score: [icn, fra], weights: ${weights} }\n`, targets: fleet }).faults.map(({ line, column, reason, hint }) => `${line}:${column}: ${reason}${hint === undefined ? '' : ` (${hint})`}`)
  t.same(faults('{ latncy: 1 }'), ['2:46: there is no term latncy (did you mean latency?)'])
  t.same(faults('{ path: -1 }'), ['2:44: path: a weight is a number from 0 to 1000'])
  t.match(faults('[1, 2]'), [/2:36: weights: expected weights by term/])
  t.match(faults('{ path: 0, latency: 0, capacity: 0, health: 0 }'), [/weights: all of them are 0/])
})
