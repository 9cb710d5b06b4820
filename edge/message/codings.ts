import { listMembers } from './fields.ts'

/** Content codings that are told apart here (RFC 9110 §8.4.1), in the order in which they are named to origins. */
export const CODINGS = ['br', 'gzip', 'zstd'] as const
export type Coding = (typeof CODINGS)[number]

/** Longer ones are no client's; what stands further on is not looked at. */
const LONGEST = 512

/** Whether a coding is taken, by an Accept-Encoding field (RFC 9110 §12.5.3): a weight of 0 refuses it, `*` stands for those that are not named. */
export function acceptedCodings(value: string | undefined): readonly Coding[] {
  if (value === undefined) return []
  const taken = new Map<string, boolean>()
  for (const member of listMembers(value.slice(0, LONGEST).toLowerCase())) {
    const [name = '', ...parameters] = member.split(';').map((part) => part.trim())
    const weight = parameters.find((parameter) => parameter.startsWith('q='))
    taken.set(name === 'x-gzip' ? 'gzip' : name, weight === undefined || Number(weight.slice(2)) > 0)
  }
  return CODINGS.filter((coding) => taken.get(coding) ?? taken.get('*') ?? false)
}

/** Accept-Encoding as it is sent on and told apart by: the codings taken, in one order and without weights; undefined for none. */
export function normalEncoding(value: string | undefined): string | undefined {
  const codings = acceptedCodings(value)
  return codings.length === 0 ? undefined : codings.join(', ')
}
