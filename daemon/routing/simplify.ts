import type { Sticky } from './draw.ts'
import type { Order } from './tree.ts'

/**
 * An order without what cannot change a choice: the nodes it comes from, firsts within firsts, firsts of one, targets that
 * come again. Two places with the same simplified order cannot be told apart by their policy.
 */
export function simplify(order: Order): Order {
  switch (order.kind) {
    case 'target':
    case 'nothing':
      return order
    case 'first-of':
      return firstOf(order.of.map(simplify))
    case 'split':
      return order.of.length === 1 ? simplify(order.of[0]!) : { ...order, node: 0, of: order.of.map(simplify) }
    case 'ranked':
      return order.of.length === 1 ? simplify(order.of[0]!) : { ...order, node: 0, of: order.of.map(simplify) }
    case 'set':
      return { ...order, node: 0, of: order.of.map(simplify) }
    case 'top':
      return order.of.length === 1 ? simplify(order.of[0]!) : { ...order, node: 0, of: order.of.map(simplify) }
    case 'or-else':
      return { ...order, node: 0, of: simplify(order.of), otherwise: typeof order.otherwise === 'object' ? simplify(order.otherwise) : order.otherwise }
  }
}

function firstOf(parts: readonly Order[]): Order {
  const flat = parts.flatMap((part) => (part.kind === 'first-of' ? part.of : [part]))
  const seen = new Set<number>()
  const of = flat.filter((part) => {
    if (part.kind !== 'target') return true
    const isNew = !seen.has(part.target)
    seen.add(part.target)
    return isNew
  })
  return of.length === 1 ? of[0]! : { kind: 'first-of', node: 0, of }
}

/** A text that is the same for the same simplified orders and no others. */
export function orderKey(order: Order): string {
  switch (order.kind) {
    case 'target':
      return String(order.target)
    case 'nothing':
      return 'n'
    case 'ranked':
      return `r${order.ranks.map(([part, level]) => part * 3 + level).join('.')}(${order.of.map(orderKey).join()})`
    case 'first-of':
      return `f(${order.of.map(orderKey).join()})`
    case 'split':
      return `w${order.sticky === undefined ? '' : stickyKey(order.sticky)}(${order.of.map((part, index) => `${order.weights[index]}:${orderKey(part)}`).join()})`
    case 'set':
      return `${order.shuffle === true ? 'm' : 's'}${order.count ?? ''}(${order.of.map(orderKey).join()})`
    case 'top':
      return `t${order.count}(${order.of.map((part, index) => `${order.reach[index]}:${orderKey(part)}`).join()})`
    case 'or-else':
      return `e(${orderKey(order.of)};${typeof order.otherwise === 'object' ? orderKey(order.otherwise) : order.otherwise})`
  }
}

function stickyKey({ by, seed, shares, ids }: Sticky): string {
  return `[${by} ${seed} ${shares} ${ids.join()}]`
}
