import { type FieldList, fieldOf, filterFields, formatHttpDate, hopByHop } from './message/index.ts'

/** Said by us for each answer, whatever came from above. */
const OURS = new Set(['age', 'cache-status', 'content-length', 'x-cache', 'x-nearcast-pop', 'x-nearcast-request-id', 'x-nearcast-tier'])

/** The fields of a response from above that are passed on and stored: end-to-end ones, with Date and our Via. */
export function passedOn(node: string, fields: FieldList, receivedAt: number): string[] {
  const hop = hopByHop(fields)
  const kept = filterFields(fields, (name) => !hop(name) && !OURS.has(name) && name !== 'via')
  // RFC 9110 §6.6.1: a recipient that caches a response without Date notes when it came.
  if (fieldOf(kept, 'date') === undefined) kept.push('Date', formatHttpDate(receivedAt))
  const via = fieldOf(fields, 'via')
  kept.push('Via', via === undefined ? `1.1 ${node}` : `${via}, 1.1 ${node}`)
  return kept
}
