import { isRecord, keyOf, type Reading } from './reading.ts'
import { readSticky, saySticky, stickyOf } from './sticky.ts'
import type { Arm } from './tree.ts'
import type { Verb } from './verb.ts'

/**
 * By weight, 0 to 255. As in Route 53, a weight of 0 is a last resort while others are above it, and weights that are all
 * 0 are equal shares. `sticky: client` or `name` keeps a client's network, or a name, on its choice: by rendezvous hashing, so
 * that a change of health or weight moves only those whose choice went away or who go to one that grew. Written as a map of names, or where a branch is a node as a list of `{ weight: 5, to: … }`.
 */
export const weighted: Verb = {
  does: 'one of them by weight, 0 to 255; a weight of 0 is a last resort; `sticky` keeps a client or a name on its choice',
  usesPlace: false,
  together: false,
  options: ['sticky'],
  parse(value, options, reading) {
    const arms = Array.isArray(value) ? readList(value, reading) : readMap(value, reading)
    const sticky = readSticky('sticky', options, reading)
    return arms.length === 0 ? undefined : { arms, ...(sticky !== undefined && { sticky }) }
  },
  order(node, number, view) {
    const sticky = stickyOf(node, 'exact')
    return { kind: 'split', node: number, of: node.arms.map((arm) => view.order(arm.to)), weights: node.arms.map((arm) => arm.weight ?? 0), ...(sticky !== undefined && { sticky }) }
  },
  say(node) {
    const sum = node.arms.reduce((total, arm) => total + (arm.weight ?? 0), 0)
    const share = (weight: number): string => `${Number((100 * weight).toPrecision(3))} %`
    return node.arms.map((arm) => `${arm.key} ${sum === 0 ? share(1 / node.arms.length) : arm.weight === 0 ? 'as a last resort' : share((arm.weight ?? 0) / sum)}`).join(', ') + saySticky(node.sticky)
  }
}

function readMap(value: unknown, reading: Reading): Arm[] {
  if (!isRecord(value) || Object.keys(value).length === 0) {
    reading.fault([], 'weighted holds no branch', 'give it weights by name: { icn: 90, nrt: 10 }')
    return []
  }
  return Object.entries(value).flatMap(([name, weight]): Arm[] => {
    const to = reading.branch(name, [name], 'key')
    return isWeight(weight, [name], name, reading) && to !== undefined ? [{ key: name, to, at: name, weight }] : []
  })
}

function readList(list: readonly unknown[], reading: Reading): Arm[] {
  if (list.length === 0) reading.fault([], 'weighted holds no branch', 'give it weights by name: { icn: 90, nrt: 10 }')
  return list.flatMap((item, index): Arm[] => {
    if (!isRecord(item) || Object.keys(item).some((key) => key !== 'weight' && key !== 'to') || !('to' in item)) {
      reading.fault([index], 'expected a weight and where it goes', 'such as { weight: 5, to: { latency: [icn, fra] } }')
      return []
    }
    const to = reading.branch(item['to'], [index, 'to'])
    const { weight } = item
    const key = keyOf(item['to'], index)
    return isWeight(weight, [index, 'weight'], key, reading) && to !== undefined ? [{ key, to, at: index, weight }] : []
  })
}

function isWeight(weight: unknown, path: readonly PropertyKey[], name: string, reading: Reading): weight is number {
  if (typeof weight === 'number' && Number.isInteger(weight) && weight >= 0 && weight <= 255) return true
  reading.fault(path, `${name}: a weight is a whole number from 0 to 255`)
  return false
}
