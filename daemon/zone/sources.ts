// The texts that a zone is read from, and faults in them. A place is one number: an offset into all texts laid end to end.
import type { Fault, Position } from '../../core/trouble.ts'
import type { Wrong } from './entry.ts'

interface Source {
  readonly file: string
  /** Place of its first octet. */
  readonly base: number
  text: Uint8Array
  /** The place that this text stands for, when it is in no file: all faults in it stand there. */
  readonly standsFor?: number
  /** Offsets of its line feeds, once asked for. */
  lines?: Uint32Array
}

export interface Sources {
  readonly list: Source[]
  end: number
}

/** Adds a text; returns its place. */
export function addSource(sources: Sources, file: string, text: Uint8Array, standsFor?: number): number {
  const base = sources.end
  sources.list.push(standsFor === undefined ? { file, base, text } : { file, base, text, standsFor })
  // Texts do not touch, so that the place behind the last octet belongs to one of them.
  sources.end += text.length + 1
  return base
}

/** Line and column of a place. Columns count characters while the text is there, octets afterwards. */
export function positionOf(sources: Sources, place: number): Position {
  const source = sourceAt(sources, place)
  if (source.standsFor !== undefined) return positionOf(sources, source.standsFor)
  const offset = place - source.base
  // Near the top a few lines are counted sooner than all.
  const lines = source.lines ?? (offset < SHORT && offset < source.text.length ? lineFeeds(source.text.subarray(0, offset)) : (source.lines = lineFeeds(source.text)))
  const line = lowerBound(lines, offset)
  const start = line === 0 ? 0 : lines[line - 1]! + 1
  const before = source.text.length === 0 ? offset - start : new TextDecoder().decode(source.text.subarray(start, offset)).length
  return { file: source.file, line: line + 1, column: before + 1 }
}

/** Texts below this many octets are no burden. */
const SHORT = 1 << 16

/** Lets the texts go that are long, and keeps what positions need. */
export function dropTexts(sources: Sources): void {
  for (const source of sources.list) {
    if (source.text.length < SHORT) continue
    if (source.standsFor === undefined) source.lines ??= lineFeeds(source.text)
    source.text = new Uint8Array(0)
  }
}

/** The text that a place is in, and the place of its first octet. */
export function sourceAt(sources: Sources, place: number): Source {
  const { list } = sources
  let low = 0
  let high = list.length - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (list[middle]!.base <= place) low = middle
    else high = middle - 1
  }
  return list[low]!
}

function lineFeeds(text: Uint8Array): Uint32Array {
  let lines = new Uint32Array(Math.max(16, text.length >>> 4))
  let count = 0
  for (let at = text.indexOf(10); at >= 0; at = text.indexOf(10, at + 1)) {
    if (count === lines.length) {
      const wider = new Uint32Array(count * 2)
      wider.set(lines)
      lines = wider
    }
    lines[count++] = at
  }
  return lines.slice(0, count)
}

/** How many of the sorted numbers are below `value`. */
function lowerBound(sorted: Uint32Array, value: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}

const MOST = 100

/** Faults as they are found: the first hundred errors and the first hundred warnings, and how many more there were. */
export interface Trouble {
  readonly sources: Sources
  readonly errors: { readonly place: number; readonly fault: Fault }[]
  readonly warnings: { readonly place: number; readonly fault: Fault }[]
  moreErrors: number
  moreWarnings: number
}

export function makeTrouble(sources: Sources): Trouble {
  return { sources, errors: [], warnings: [], moreErrors: 0, moreWarnings: 0 }
}

/** Notes a fault at a place. `reason` and `hint` are worked out only while there is room for them. */
export function note(trouble: Trouble, severity: Fault['severity'], place: number, reason: string | (() => string), hint?: Wrong['hint']): void {
  const list = severity === 'error' ? trouble.errors : trouble.warnings
  if (list.length >= MOST) {
    if (severity === 'error') trouble.moreErrors++
    else trouble.moreWarnings++
    return
  }
  const said = typeof hint === 'function' ? hint() : hint
  const fault: Fault = { ...positionOf(trouble.sources, place), severity, reason: typeof reason === 'function' ? reason() : reason }
  list.push({ place, fault: said === undefined ? fault : { ...fault, hint: said } })
}

/** Whether further warnings are only counted. */
export function isFull(trouble: Trouble): boolean {
  return trouble.warnings.length >= MOST
}

/** Whether a warning stands at a place already. */
export function isWarned(trouble: Trouble, place: number): boolean {
  return trouble.warnings.some((warning) => warning.place === place)
}

/** All faults in the order of their places, and a last one each that counts those left out. */
export function faultsOf(trouble: Trouble): Fault[] {
  const noted = [...trouble.errors, ...trouble.warnings].sort((a, b) => a.place - b.place).map(({ fault }) => fault)
  const more = (list: Trouble['errors'], count: number): Fault[] => {
    if (count === 0) return []
    const { file, line, column, severity } = list.at(-1)!.fault
    return [{ file, line, column, severity, reason: `… and ${count} more` }]
  }
  return [...noted, ...more(trouble.errors, trouble.moreErrors), ...more(trouble.warnings, trouble.moreWarnings)]
}
