import { TYPE } from '../../daemon/wire/types.ts'
import type { Finding } from './round.ts'

/** A way in which Nearcast is unlike its peers, and is meant to be. */
interface Explained {
  readonly rfc: string
  readonly why: string
  fits(finding: Finding): boolean
}

const typeOf = ({ question }: Finding): number => question.asks?.type ?? 0

/** Every difference that is meant. What is not here fails the run. */
export const EXPLAINED: readonly Explained[] = [
  {
    rfc: 'RFC 8482 §4',
    why: 'ANY gets one HINFO over UDP; the peers answer with sets of their own choice',
    fits: (finding) => typeOf(finding) === TYPE.ANY && finding.difference.kind !== 'lint' && ['flags', 'answer'].includes(finding.difference.part)
  }
]
