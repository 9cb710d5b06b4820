import { drawChart, type Bar } from './chart.ts'
import type { CaseResult, Row } from './dns-result.ts'
import { runStages } from './dns.ts'
import { cost, isFloor, isOurs } from './dns-targets.ts'
import type { BenchOptions } from './options.ts'
import { median, table } from './processes.ts'
import { circumstancesOf, isWhole, markdownTable, say, writeResult, type Circumstances } from './results.ts'
import { flipHealth, loadWorld, NAMES, POLICIES, type Flip, type Loading } from './steering-world.ts'

// What steering adds: the cost of a steered answer beside a static one of the same server to the same clients, beside gdnsd, Knot
// and PowerDNS; and with very many routed names, what loading them costs and what a change of health does.

const STATIC = 'static-subnet'
const STEERED = 'steered-one'
/** Of a steered answer beside a static one. */
const LIMIT = 1.05
const LOAD_SECONDS = 5
const FLIP_MS = 100

interface Compared {
  readonly server: string
  readonly still: Row
  readonly steered: Row
  readonly ratio: number
  /** Of the two in the same round. */
  readonly ratios: readonly number[]
}

/** Measures, prints, and writes results/steering.*. */
export async function benchSteering(options: BenchOptions): Promise<void> {
  const circumstances = circumstancesOf(options)
  const { world, loading } = await loadWorld()
  const flips = flipHealth(world, options.rounds)
  const compared = compare(await runStages(options, [{ data: 'routed', workers: 1, cases: [STATIC, STEERED] }]))
  for (const lines of [costLines(compared), loadLines(loading), flipLines(flips)]) say(`\n${table(lines)}`)
  if (isWhole(options)) write(circumstances, compared, loading, flips)
}

function compare(results: readonly CaseResult[]): Compared[] {
  const rows = (name: string): readonly Row[] => results.find((result) => result.name === name)?.rows ?? []
  return rows(STEERED).flatMap((steered) => {
    const still = rows(STATIC).find(({ server }) => server === steered.server)
    if (still === undefined || isFloor(steered)) return []
    const ratios = steered.cpu.map((value, round) => value / still.cpu[round]!)
    return [{ server: steered.server, still, steered, ratio: median(ratios), ratios }]
  })
}

const isOursHere = ({ steered }: Compared): boolean => isOurs(steered)
const verdict = (isMet: boolean): string => (isMet ? 'met' : 'not met')

function costLines(compared: readonly Compared[]): string[][] {
  const rows = compared.map((each) => [
    each.server, cost(each.still).toFixed(2), cost(each.steered).toFixed(2), each.ratio.toFixed(2), `${Math.min(...each.ratios).toFixed(2)} – ${Math.max(...each.ratios).toFixed(2)}`,
    isOursHere(each) ? `≤ ${LIMIT}: ${verdict(each.ratio <= LIMIT)}` : ''
  ])
  return [['server', 'static, µs CPU', 'steered, µs CPU', 'ratio', 'ratios of the rounds', ''], ...rows]
}

function loadLines({ policies, zone, image, octets }: Loading): string[][] {
  const all = policies + zone + image
  return [
    [`${NAMES.toLocaleString('en')} routed names, ${POLICIES.toLocaleString('en')} policies`, 's', ''],
    ['policies read and checked', policies.toFixed(2), ''], ['zone read and checked', zone.toFixed(2), ''], ['laid out', image.toFixed(2), ''],
    ['in all', all.toFixed(2), `≤ ${LOAD_SECONDS}: ${verdict(all <= LOAD_SECONDS)}`], ['MiB that the process has more', (octets / 2 ** 20).toFixed(0), '']
  ]
}

function flipLines(flips: readonly Flip[]): string[][] {
  const settled = flips.find(({ what }) => what === 'asked again')!.all
  const rows = flips.map(({ what, all, slowest, wrong }) => [
    what, all.toFixed(0), slowest.toFixed(2), String(wrong), /DOWN|UP/.test(what) ? `right at once, slowest ≤ ${FLIP_MS} ms: ${verdict(wrong === 0 && slowest <= FLIP_MS)}; ${Math.max(0, all - settled).toFixed(0)} ms more than before, over all names` : ''
  ])
  return [[`all ${NAMES.toLocaleString('en')} names, one after the other`, 'ms for all', 'ms for the slowest', 'wrong', ''], ...rows]
}

function write(circumstances: Circumstances, compared: readonly Compared[], loading: Loading, flips: readonly Flip[]): void {
  const bars = compared.map((each): Bar => ({ label: each.server, kind: isOursHere(each) ? 'ours' : 'peer', value: each.ratio, low: Math.min(...each.ratios), high: Math.max(...each.ratios), text: each.ratio.toFixed(2) }))
  writeResult('steering.svg', drawChart({ title: 'What steering adds', subtitle: 'CPU of a steered answer beside a static one of the same server to the same clients; medians with the range of the rounds; less is better', panels: [{ title: 'Steered × static', subtitle: 'A of one name, EDNS and a random /24 as client subnet', bars }] }))
  const text = [
    '# Steering: what it adds',
    `Measured on ${circumstances.machine}, ${circumstances.day}; ${circumstances.rounds} rounds of ${circumstances.seconds} s, every server in turn in each. Written by \`npm run bench -- steering\`.`,
    '![What steering adds](steering.svg)',
    '## A steered answer beside a static one',
    'A of one name with EDNS and a random /24 as client subnet each, CPU of the whole server: www, with one address for everybody, and r0, by country of the same database for all servers.',
    markdownTable(costLines(compared)),
    '## Many routed names',
    'In one process, by the code of the daemon: a quarter of the policies each by latency, by geolocation over failover and another policy, by failover, and by sticky weights.',
    markdownTable(loadLines(loading)),
    '## A change of health',
    'The word of an edge is changed, then every name is asked from a network of its own, and every answer looked at; times are medians of the rounds. The first answer behind the change is right already; what was kept ready is made again as it is asked for.',
    markdownTable(flipLines(flips))
  ]
  writeResult('steering.md', `${text.join('\n\n')}\n`)
}
