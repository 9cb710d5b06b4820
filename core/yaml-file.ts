import type { Document, Node, Pair } from 'yaml'
import type { z } from 'zod'
import type { $ZodRawIssue } from 'zod/v4/core'
import { lazyPackage } from './lazy-package.ts'
import { nearest } from './suggest.ts'
import type { Fault, Position } from './trouble.ts'

const yaml = lazyPackage<typeof import('yaml')>('yaml')

/** A YAML text that still knows where each of its nodes stands. */
export interface YamlFile {
  readonly file: string
  readonly value: unknown
  /** Faults of the YAML itself; when there are any, `value` is not to be used. */
  readonly faults: readonly Fault[]
  /** Where the node at `path` stands: the value, or with `key` set the key that names it. Falls back to the nearest parent. */
  position(path: readonly PropertyKey[], key?: boolean): Position
}

/** Reads a YAML text (one document, no aliases beyond 100, duplicate keys refused). */
export function readYaml(file: string, text: string): YamlFile {
  const { LineCounter, parseDocument } = yaml()
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false })
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset)
    return { file, line: Math.max(1, line), column: Math.max(1, col) }
  }
  const faults = [...document.errors, ...document.warnings].map((error): Fault => {
    const reason = error.code === 'DUPLICATE_KEY' ? `${keyAt(text, error.pos[0])} stands here twice` : error.message
    return { ...at(error.pos[0]), severity: 'error', reason }
  })
  let value: unknown
  if (faults.length === 0) {
    try {
      value = document.toJS({ maxAliasCount: 100 })
    } catch (error) {
      faults.push({ ...at(0), severity: 'error', reason: error instanceof Error ? error.message : String(error) })
    }
  }
  return { file, value, faults, position: (path, key = false) => at(offsetOf(document, path, key)) }
}

/** A key as it is written, quotes and all. */
const keyAt = (text: string, offset: number): string => /^("[^"\n]*"|'[^'\n]*'|[^:\n]*[^:\s])/.exec(text.slice(offset, offset + 200))?.[0] ?? 'this key'

/**
 * The keys of the map under a key at the top of a YAML text that has faults, as far as its parser makes them out, and be the
 * key itself mistyped: so that what stands in one file is not taken to be missing from another.
 */
export function namesDespiteFaults(text: string, key: string): string[] {
  const { isMap, isScalar, parseDocument } = yaml()
  const { contents } = parseDocument(text, { uniqueKeys: false, prettyErrors: false })
  if (!isMap(contents)) return []
  const maps = contents.items.filter((item) => isScalar(item.key) && nearest(String(item.key.value), [key]) === key).map(({ value }) => value)
  return [...new Set(maps.flatMap((map) => (isMap(map) ? map.items.flatMap((item) => (isScalar(item.key) ? [String(item.key.value)] : [])) : [])))]
}

function offsetOf(document: Document, path: readonly PropertyKey[], key: boolean): number {
  const { isMap, isNode, isPair, isScalar, isSeq } = yaml()
  let node: Node | null | undefined = document.contents
  let offset = startOf(node) ?? 0
  for (const [depth, step] of path.entries()) {
    const last = depth === path.length - 1
    let next: unknown
    if (isMap(node)) {
      const pair: Pair | undefined = node.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step))
      if (pair === undefined) break
      if (key && last) return startOf(pair.key) ?? offset
      next = pair.value ?? pair.key
    } else if (isSeq(node)) next = node.items[Number(step)]
    const start = startOf(next)
    if (start === undefined) break
    offset = start
    node = isNode(next) ? next : undefined
  }
  return offset
}

function startOf(node: unknown): number | undefined {
  return yaml().isNode(node) ? node.range?.[0] : undefined
}

/** What a value that does not fit is said to be; for the `error` option of `safeParse`. Undefined: zod's own words. */
export function describeIssue(issue: $ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type') return issue.input === undefined ? 'is missing' : `expected ${article(String(issue.expected))}, found ${shown(issue.input)}`
  if (issue.code === 'too_small' && issue.origin === 'array') return `needs ${issue.minimum} or more, found ${shown(issue.input)}`
  if (issue.code === 'too_small') return `must be at least ${issue.minimum}, found ${shown(issue.input)}`
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}, found ${shown(issue.input)}`
  if (issue.code === 'invalid_value') return `expected ${issue.values.map(String).join(' or ')}, found ${shown(issue.input)}${meantValue(issue)}`
  if (issue.code === 'invalid_key') return issue.issues[0]?.message
  if (issue.code !== 'invalid_union') return undefined
  if (issue.input === undefined) return 'is missing'
  const reasons = issue.errors.flat().filter((each) => each.code !== 'invalid_type').map((each) => each.message)
  return reasons[0] ?? `does not fit, found ${shown(issue.input)}`
}

/** The value that was probably meant, in the brackets of a hint. */
function meantValue({ input, values }: { readonly input?: unknown; readonly values: readonly unknown[] }): string {
  const near = typeof input === 'string' ? nearest(input, values.map(String)) : undefined
  return near === undefined ? '' : ` (did you mean ${near}?)`
}

function article(type: string): string {
  const words: Record<string, string> = { string: 'a text', boolean: 'true or false', int: 'a whole number', record: 'a map', object: 'a map', tuple: 'a list', array: 'a list' }
  return words[type] ?? `a ${type}`
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object' && value !== null) return 'a map'
  return typeof value === 'string' ? `the text ${JSON.stringify(value)}` : String(value)
}

/**
 * The issues of a zod schema as faults at the places they speak of.
 * @param suggest given an unknown key and the path of the map it stands in: what was probably meant
 */
export function faultsOf(error: z.ZodError, source: YamlFile, suggest: (key: string, path: readonly PropertyKey[]) => string | undefined): Fault[] {
  return error.issues.flatMap(meantIssues).flatMap((issue): Fault[] => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => {
        const hint = suggest(key, issue.path)
        const fault = { ...source.position([...issue.path, key], true), severity: 'error' as const, reason: `unknown key ${where([...issue.path, key])}` }
        return hint === undefined ? fault : { ...fault, hint }
      })
    }
    const name = where(issue.path)
    const hint = 'params' in issue && typeof issue.params?.['hint'] === 'string' ? issue.params['hint'] : undefined
    const fault = { ...source.position(issue.path), severity: 'error' as const, reason: name === '' ? issue.message : `${name}: ${issue.message}` }
    return [hint === undefined ? fault : { ...fault, hint }]
  })
}

/** Of what may be of several shapes: the issues of the shape that was meant, where it can be told; that is the one which lacks nothing. */
function meantIssues(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const isMap = typeof issue.input === 'object' && issue.input !== null
  const lacks = ({ code, path, input }: z.core.$ZodIssue): boolean =>
    (code === 'invalid_type' && (path.length === 0 || (path.length === 1 && input === undefined))) || (code === 'invalid_value' && path.length === 0 && isMap)
  const meant = issue.errors.filter((issues) => !issues.some(lacks))
  const strange = meant.length === 0 && isMap ? unknownToAll(issue.errors) : []
  if (strange.length > 0) return [{ code: 'unrecognized_keys', keys: strange, input: issue.input as Record<string, unknown>, path: issue.path, message: '' }]
  if (meant.length !== 1) return [issue]
  return meant[0]!.map((each) => ({ ...each, path: [...issue.path, ...each.path] }))
}

/** The keys that none of the shapes of a map has. */
function unknownToAll(shapes: readonly (readonly z.core.$ZodIssue[])[]): string[] {
  const maps = shapes.filter((issues) => !issues.some(({ code, path }) => code === 'invalid_type' && path.length === 0))
  const unknown = maps.map((issues) => issues.flatMap((issue) => (issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : [])))
  return (unknown[0] ?? []).filter((key) => unknown.every((keys) => keys.includes(key)))
}

function where(path: readonly PropertyKey[]): string {
  return path.map(String).join('.')
}
