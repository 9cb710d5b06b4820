import { ranked, sayRanked, type Ranked } from './ranking.ts'
import { isRecord, keyOf, type Reading } from './reading.ts'
import type { Arm, Node, View } from './tree.ts'
import type { Verb } from './verb.ts'

const HINT = 'give it biases by name: { icn: 20, nrt: 0 }'

/**
 * The nearest, where a bias of -99 to 99 moves a branch away or nearer. Its distance counts for 1 - bias/100 of itself, as
 * "How Amazon Route 53 uses bias to route traffic" has it for biases of either sign:
 * https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/routing-policy-geoproximity.html
 * (earlier editions of that page divide by 1 + bias/100 where the bias is negative, which moves further: 2 times for -50,
 * not 1.5). Written as a map of names, or as a list of names and of `{ bias: 20, to: … }` where a branch is a node.
 * Equal distances keep the order written, and so do all when the place has no coordinates; plain addresses come last.
 */
export const geoproximity: Verb = {
  does: 'the nearest that can answer, each moved by its bias, -99 to 99',
  usesPlace: true,
  together: false,
  options: [],
  parse(value, _options, reading) {
    const arms = Array.isArray(value) ? readList(value, reading) : readMap(value, reading)
    return arms.length === 0 ? undefined : { arms }
  },
  order: (node, number, view) => ({ kind: 'first-of', node: number, of: byBiased(node, view).map(({ order }) => order) }),
  say: (node, view) => sayRanked(byBiased(node, view), view, ({ arm, kilometres, rank }) => kilometres === undefined ? undefined : `${Math.round(kilometres)} km${arm.bias ? ` as ${Math.round(rank)} km (bias ${arm.bias})` : ''}`)
}

function byBiased(node: Node, view: View): Ranked[] {
  return ranked(node.arms, view, (kilometres, { bias = 0 }) => kilometres * (1 - bias / 100))
}

function readMap(value: unknown, reading: Reading): Arm[] {
  if (!isRecord(value) || Object.keys(value).length === 0) {
    reading.fault([], 'geoproximity holds no branch', HINT)
    return []
  }
  return Object.entries(value).flatMap(([name, bias]): Arm[] => {
    const to = reading.branch(name, [name], 'key')
    return isBias(bias, [name], name, reading) && to !== undefined ? [{ key: name, to, at: name, bias }] : []
  })
}

function readList(list: readonly unknown[], reading: Reading): Arm[] {
  if (list.length === 0) reading.fault([], 'geoproximity holds no branch', HINT)
  return list.flatMap((item, index): Arm[] => {
    const written = typeof item === 'string' ? { to: item, bias: 0 } : item
    if (!isRecord(written) || Object.keys(written).some((key) => key !== 'bias' && key !== 'to') || !('to' in written)) {
      reading.fault([index], 'expected a name, or a bias and where it goes', 'such as { bias: 20, to: { failover: [icn, nrt] } }')
      return []
    }
    const to = reading.branch(written['to'], typeof item === 'string' ? [index] : [index, 'to'])
    const { bias } = written
    const key = keyOf(written['to'], index)
    return isBias(bias, 'bias' in written ? [index, 'bias'] : [index], key, reading) && to !== undefined ? [{ key, to, at: index, bias }] : []
  })
}

function isBias(bias: unknown, path: readonly PropertyKey[], name: string, reading: Reading): bias is number {
  if (typeof bias === 'number' && Number.isInteger(bias) && bias >= -99 && bias <= 99) return true
  reading.fault(path, `${name}: a bias is a whole number from -99 to 99`)
  return false
}
