import { ascending, type Balance } from './types.ts'

/** Each as often as its weight says, evenly in between: who has waited most for its share is next. */
export const weighted: Balance = (members) => {
  const total = members.reduce((sum, { weight }) => sum + weight, 0)
  const owed = members.map(() => 0)
  return () => {
    for (const [member, { weight }] of members.entries()) owed[member]! += weight
    const order = ascending(members.length, (member) => -owed[member]!)
    owed[order[0]!]! -= total
    return order
  }
}
