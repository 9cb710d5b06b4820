import { fieldOf, listMembers, type FieldList } from '../message/index.ts'

/** What a response's Cache-Control says (RFC 9111 §5.2.2), as a shared cache hears it. Times in milliseconds. */
export interface ResponseControl {
  readonly present: boolean
  readonly noStore: boolean
  readonly noCache: boolean
  readonly private: boolean
  readonly public: boolean
  readonly mustRevalidate: boolean
  readonly mustUnderstand: boolean
  readonly maxAge?: number
  readonly sMaxAge?: number
}

/** The largest delta-seconds that is kept apart from others, in seconds (RFC 9111 §1.2.2). */
export const LONGEST = 2 ** 31

/**
 * Reads a response's Cache-Control. A qualified `private` or `no-cache` is taken as the unqualified one, which is always allowed.
 * A lifetime that is malformed or stated differently twice is 0: stale (§4.2.1).
 */
export function readControl(fields: FieldList): ResponseControl {
  const value = fieldOf(fields, 'cache-control')
  if (value === undefined) return { present: false, noStore: false, noCache: false, private: false, public: false, mustRevalidate: false, mustUnderstand: false }
  const said = new Map<string, string | undefined>()
  for (const member of listMembers(value)) {
    const equals = member.indexOf('=')
    const name = (equals < 0 ? member : member.slice(0, equals)).toLowerCase()
    const argument = equals < 0 ? undefined : member.slice(equals + 1)
    said.set(name, said.has(name) && said.get(name) !== argument ? 'conflict' : argument)
  }
  return {
    present: true,
    noStore: said.has('no-store'),
    noCache: said.has('no-cache'),
    private: said.has('private'),
    public: said.has('public'),
    mustRevalidate: said.has('must-revalidate') || said.has('proxy-revalidate'),
    mustUnderstand: said.has('must-understand'),
    ...(said.has('max-age') ? { maxAge: lifetime(said.get('max-age')) } : {}),
    ...(said.has('s-maxage') ? { sMaxAge: lifetime(said.get('s-maxage')) } : {})
  }
}

function lifetime(argument: string | undefined): number {
  return (parseSeconds(argument?.replace(/^"(\d+)"$/, '$1')) ?? 0) * 1000
}

/** Reads delta-seconds (RFC 9111 §1.2.2); undefined for anything else. */
export function parseSeconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Math.min(Number(text), LONGEST) : undefined
}
