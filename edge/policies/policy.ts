import type { Config } from '../../core/config.ts'
import type { Times } from '../cache/index.ts'
import { among, compile, NONE, type Selection } from './selection.ts'

type Written = Config['cache-policies'][string]

/** A cache policy, resolved. */
export interface Policy {
  readonly name: string
  readonly set: Written['set']
  /** All reaches the origin as it came, and nothing but Vary tells responses apart. */
  readonly plain: boolean
  /** What makes the key; undefined: all reaches the origin, and Vary decides. Parameters always make the key; undefined: all, as they came. */
  readonly query: Selection | undefined
  readonly headers: Selection | undefined
  readonly cookies: Selection | undefined
  readonly country: boolean
  readonly device: boolean
  /** What reaches the origin beside that. */
  readonly forward: { readonly query: Selection; readonly headers: Selection; readonly cookies: Selection }
  readonly times: Times
}

const DAY = 24 * 3600 * 1000

/** What the sets say where a policy is silent. */
const SETS: Readonly<Record<Written['set'], { readonly selects: 'none' | undefined; readonly times: Times }>> = {
  rfc9111: { selects: undefined, times: { min: 0, default: 0, max: Infinity, errors: new Map(), overrules: false } },
  cloudfront: {
    selects: 'none',
    times: { min: 0, default: DAY, max: 365 * DAY, errors: new Map([[404, 10_000], [410, 10_000], [414, 10_000], [500, 0], [501, 10_000], [502, 0], [503, 10_000], [504, 10_000]]), overrules: true }
  }
}

/** The policies of a configuration by name, with the sets themselves. */
export function makePolicies(config: Pick<Config, 'cache-policies'>): Map<string, Policy> {
  const bare = { country: false, device: false, forward: {} }
  const written: [string, Written][] = [['rfc9111', { set: 'rfc9111', ...bare }], ['cloudfront', { set: 'cloudfront', ...bare }], ...Object.entries(config['cache-policies'])]
  return new Map(written.map(([name, policy]) => [name, makePolicy(name, policy)]))
}

/** The policy `rfc9111`: all reaches the origin. */
export const EVERYTHING: Policy = makePolicies({ 'cache-policies': {} }).get('rfc9111')!

function makePolicy(name: string, written: Written): Policy {
  const { set, country, device, forward, errors } = written
  const { selects, times } = SETS[set]
  const { query = selects, headers = selects, cookies = selects } = written
  const ofErrors = new Map([...times.errors, ...Object.entries(errors ?? {}).map(([status, ms]): [number, number] => [Number(status), ms])])
  return {
    name,
    set,
    plain: (query === undefined || query === 'all') && headers === undefined && cookies === undefined && !country && !device,
    query: query === undefined || query === 'all' ? undefined : compile(query, false),
    headers: headers === undefined ? undefined : compile(headers, true),
    cookies: cookies === undefined ? undefined : compile(cookies, false),
    country,
    device,
    forward: { query: listed(forward.query, false), headers: listed(forward.headers, true), cookies: listed(forward.cookies, false) },
    times: { min: written['min-ttl'] ?? times.min, default: written['default-ttl'] ?? times.default, max: written['max-ttl'] ?? times.max, errors: ofErrors, overrules: times.overrules }
  }
}

function listed(names: readonly string[] | undefined, fold: boolean): Selection {
  return names === undefined ? NONE : among(names, fold)
}
