import { asKey, armsByAs, armsWithin } from './networks.ts'
import { hasDefault, isRecord, type Reading } from './reading.ts'
import type { Arm, Branch, Node, View } from './tree.ts'
import type { Verb } from './verb.ts'

/**
 * By the client's network: branches of prefixes it lies in, the longest first; then that of its autonomous system, then
 * those of collections of such; then `default`. Each falls to the next when all of it is down. Keys are names of `networks:`,
 * prefixes, and autonomous systems written `as-64500`.
 */
export const network: Verb = {
  does: 'by collections of prefixes and autonomous systems, then `default`',
  usesPlace: false,
  usesNetwork: () => true,
  reaches: 'default',
  together: false,
  options: [],
  parse(value, _options, reading) {
    const arms = readNetworkArms(value, reading, true)
    return arms && { arms }
  },
  order: (node, number, view) => ({ kind: 'first-of', node: number, of: armsFor(node, view).map((arm) => view.order(arm.to)) }),
  say(node, view) {
    const [first, ...rest] = armsFor(node, view).map((arm) => arm.key)
    return `goes by ${first}${rest.length === 0 ? '' : `; if all of it is down, by ${rest.join(', then ')}`}`
  }
}

/** A branch with no address in it: `empty`. */
const NOTHING: Branch = { kind: 'nothing' }

function armsFor({ arms }: Node, { network: of }: View): readonly Arm[] {
  return [...new Set([...armsWithin(arms, of), ...armsByAs(arms, of), ...arms.filter(({ key }) => key === 'default')])]
}

/** Branches by network and a default, which must not be missing. Undefined when a fault has been told. */
export function readNetworkArms(value: unknown, reading: Reading, mayBeAs: boolean): Arm[] | undefined {
  if (!isRecord(value) || Object.keys(value).length === 0) {
    reading.fault([], `${reading.verb} holds no branch`, 'give it networks and a default: { office: icn, 203.0.113.0/24: fra, default: nrt }')
    return undefined
  }
  const arms: Arm[] = []
  for (const [written, item] of Object.entries(value)) {
    const key = written === 'default' ? written : reading.network(isNumber(written) ? `as-${written}` : written, written, mayBeAs)
    const to = item === 'empty' ? NOTHING : reading.branch(item, [written])
    if (key === undefined || to === undefined) continue
    if (arms.some((arm) => arm.key === key)) reading.fault([written], `${key} stands in this ${reading.verb} twice`, undefined, 'key')
    arms.push({ key, to, at: written })
  }
  if (!hasDefault(value)) reading.fault([], `${reading.verb} has no default`, 'clients of no branch would get no answer: add default: BRANCH')
  return arms.length === 0 ? undefined : arms
}

/** A number alone can only be meant as that of an autonomous system. */
const isNumber = (written: string): boolean => /^\d+$/.test(written) && asKey(`as-${written}`) !== undefined
