import type { Config } from '../../core/config.ts'
import { matchesGlob } from '../../core/glob.ts'
import { fieldName, requestField, type FieldName, type RequestHead } from '../http/index.ts'
import { cookiesOf, parametersOf } from './read.ts'
import { nameOf } from './selection.ts'

type Written = NonNullable<Config['distributions'][string]['behaviours'][number]['when']>

/** What a request must have beside its path, resolved. */
export interface Conditions {
  readonly methods: ReadonlySet<string> | undefined
  readonly headers: readonly (readonly [FieldName, string])[]
  readonly query: readonly (readonly [string, string])[]
  readonly cookies: readonly (readonly [string, string])[]
}

export function readConditions(written: Written | undefined): Conditions | undefined {
  if (written === undefined) return undefined
  const { method, headers = {}, query = {}, cookies = {} } = written
  return {
    methods: method === undefined ? undefined : new Set(method),
    headers: Object.entries(headers).map(([name, pattern]) => [fieldName(name.toLowerCase()), pattern]),
    query: Object.entries(query),
    cookies: Object.entries(cookies)
  }
}

/** Whether a request has all that the conditions ask for. */
export function fits({ methods, headers, query, cookies }: Conditions, request: RequestHead): boolean {
  if (methods !== undefined && !methods.has(request.method)) return false
  for (const [name, pattern] of headers) {
    const value = requestField(request, name)
    if (value === undefined || !matchesGlob(pattern, value)) return false
  }
  return hasAll(query, () => parametersOf(request.target)) && hasAll(cookies, () => cookiesOf(request))
}

/** One of the pairs of each name has a value that fits; a name without `=` has an empty one. */
function hasAll(wanted: readonly (readonly [string, string])[], read: () => readonly string[]): boolean {
  if (wanted.length === 0) return true
  const pairs = read()
  return wanted.every(([name, pattern]) => pairs.some((pair) => nameOf(pair) === name && matchesGlob(pattern, pair.slice(name.length + 1))))
}
