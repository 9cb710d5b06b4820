import { TYPE } from '../../daemon/wire/types.ts'
import type { Verdict } from './checkers.ts'
import type { Finding } from './round.ts'

/** A way in which Nearcast is unlike its peers, and is meant to be. */
interface Explained {
  readonly rfc: string
  readonly why: string
  fits(finding: Finding): boolean
}

const typeOf = ({ question }: Finding): number => question.asks?.type ?? 0

/** Difference in answers where every server stops a chain that has no end somewhere: ours is as far as one of them goes, or stops between two. */
function isNested({ difference }: Finding): boolean {
  if (difference.kind === 'lint' || difference.part !== 'answer') return false
  const sets = [...Object.values(difference.peers), difference.ours].map((text) => new Set(text === '' ? [] : text.split('\n'))).toSorted((a, b) => a.size - b.size)
  return sets.every((set, index) => index === 0 || [...sets[index - 1]!].every((line) => set.has(line)))
}

/** Difference in the end of a chain that leads into another of the zones: its SOA, where the peers have stopped before. */
function isEndElsewhere({ difference, question, zones }: Finding): boolean {
  if (difference.kind === 'lint' || difference.part !== 'authority' || Object.values(difference.peers).some((text) => text !== '')) return false
  const zoneOf = (name: string): string | undefined => zones.map(({ origin }) => origin).filter((origin) => name.toLowerCase() === origin || name.toLowerCase().endsWith(`.${origin}`)).toSorted((a, b) => b.length - a.length)[0]
  const [owner = '', , , type] = difference.ours.split(' ')
  return type === 'SOA' && zoneOf(question.text.split(' ')[0]!) !== owner
}

/** Every difference that is meant. What is not here fails the run. */
export const EXPLAINED: readonly Explained[] = [
  {
    rfc: 'RFC 8482 §4',
    why: 'ANY gets one HINFO over UDP; the peers answer with sets of their own choice',
    fits: (finding) => typeOf(finding) === TYPE.ANY && finding.difference.kind !== 'lint' && ['flags', 'answer'].includes(finding.difference.part)
  },
  {
    rfc: 'RFC 1034 §3.6.2, RFC 6672 §3.1',
    why: 'no RFC says how long a chain of aliases may be: each server stops those without end after a number of turns of its own, Nearcast after 16',
    fits: (finding) => finding.difference.kind === 'alone' && isNested(finding)
  },
  {
    rfc: 'RFC 1034 §4.3.2',
    why: 'an alias into another zone of the server is followed, as step 3a has it, to its end; Knot and BIND stop at the border of a zone, NSD after a few turns',
    fits: isEndElsewhere
  },
  {
    rfc: 'RFC 1035 §4.1.1',
    why: 'of octets that are no proper query each server makes what it will, FORMERR, REFUSED, NOTIMP or silence: only what the peers agree on counts',
    fits: ({ question, difference }) => question.asks === undefined && difference.kind === 'alone'
  }
]

/** Zone files about which Nearcast is of another mind than all of its peers. */
const EXPLAINED_FILES: readonly { readonly why: string; fits(text: string, ours: Verdict): boolean }[] = []

/** Whether it is meant that Nearcast differs about the file. */
export function isExplainedFile(text: string, ours: Verdict): boolean {
  return EXPLAINED_FILES.some(({ fits }) => fits(text, ours))
}
