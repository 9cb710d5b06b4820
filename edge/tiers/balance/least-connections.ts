import { ascending, type Balance } from './types.ts'

/** The one with the fewest requests under way for its weight. Equals take turns. */
export const leastConnections: Balance = (members) => {
  let turn = 0
  return () => {
    const first = turn++ % members.length
    const turned = (member: number): number => (member - first + members.length) % members.length
    return ascending(members.length, (member) => members[member]!.underWay() / members[member]!.weight + turned(member) * 1e-9)
  }
}
