import type { Viewer } from './asked.ts'
import { wantedRange, type ContentRange } from './cache/index.ts'
import { askingFor, type Gap } from './gap.ts'
import { fieldName, requestField } from './http/index.ts'

// For whom a fetch is, and of how much.

const IF_RANGE = fieldName('if-range')
const RANGE = fieldName('range')

/** Whether a fetch may be joined, or brings but the part that this request wants, of what is not held whole. */
export type Company = 'together' | 'alone' | 'for a part' | 'for a part, together'
export const isForPart = (how: Company): boolean => how === 'for a part' || how === 'for a part, together'
export const isTogether = (how: Company): boolean => how === 'together' || how === 'for a part, together'

/** What Range says, which has a meaning with GET alone (RFC 9110 §14.2). */
export const partOf = ({ request }: Viewer): string | undefined => (request.method === 'GET' ? requestField(request, RANGE) : undefined)

/** The part that is asked for, in the words of the request that is sent on; empty for the whole. */
export function runOf({ request }: Viewer, how: Company, gap: Gap | undefined): string {
  if (gap !== undefined) return askingFor(gap).join('\n')
  return isForPart(how) ? `${requestField(request, RANGE) ?? ''}\n${requestField(request, IF_RANGE) ?? ''}` : ''
}

/** A part has come unasked, and it is not the one that is wanted. */
export function isOther(viewer: Viewer, part: ContentRange): boolean {
  const value = partOf(viewer)
  const wanted = value === undefined ? undefined : wantedRange(value, part.length)
  return wanted !== undefined && (wanted === 'unsatisfiable' || wanted.first !== part.first || wanted.last !== part.last)
}
