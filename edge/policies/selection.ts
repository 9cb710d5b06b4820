import { isGlob, matchesGlob } from '../../core/glob.ts'

/** Which names are meant. Compiled from `all`, `none`, `only: […]` and `except: […]`. */
export type Selection = (name: string) => boolean

export type Written = 'all' | 'none' | { readonly only: readonly string[] } | { readonly except: readonly string[] }

export const ALL: Selection = () => true
export const NONE: Selection = () => false

/** @param fold names differ by case no more: those of headers, which come in lower case */
export function compile(written: Written, fold: boolean): Selection {
  if (written === 'all') return ALL
  if (written === 'none') return NONE
  const isListed = among('only' in written ? written.only : written.except, fold)
  return 'only' in written ? isListed : (name) => !isListed(name)
}

/** One of these names, in which `*` and `?` are wildcards. */
export function among(names: readonly string[], fold: boolean): Selection {
  const wanted = fold ? names.map((name) => name.toLowerCase()) : names
  const plain = new Set(wanted.filter((name) => !isGlob(name)))
  const globs = wanted.filter(isGlob)
  return (name) => plain.has(name) || globs.some((glob) => matchesGlob(glob, name))
}

/** The pairs of a list such as `a=1&b=2` whose name is meant, those of one name in the order in which they came. */
export function pick(pairs: readonly string[], meant: Selection): string[] {
  const kept = pairs.filter((pair) => pair !== '' && meant(nameOf(pair)))
  return kept.sort((one, other) => compare(nameOf(one), nameOf(other)))
}

/** What stands before the `=` of a pair. */
export function nameOf(pair: string): string {
  const equals = pair.indexOf('=')
  return equals < 0 ? pair : pair.slice(0, equals)
}

const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)
