import type { Balance } from './types.ts'

/** Each in turn. */
export const roundRobin: Balance = (members) => {
  let turn = 0
  return () => {
    const first = turn++ % members.length
    return members.map((_, at) => (first + at) % members.length)
  }
}
