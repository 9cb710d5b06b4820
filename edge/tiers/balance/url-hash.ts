import { makeRing } from '../ring.ts'
import type { Balance } from './types.ts'

/** The same one for the same key. */
export const urlHash: Balance = (members) => {
  const ring = makeRing(members.map(({ name }) => name))
  return (sought) => ring.order(sought.key)
}
