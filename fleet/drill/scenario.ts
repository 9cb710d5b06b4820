import type { Config } from '../../core/config.ts'
import { parseDuration } from '../../core/quantity.ts'
import { suggestion } from '../../core/suggest.ts'
import type { Fault } from '../../core/trouble.ts'
import { readYaml, type YamlFile } from '../../core/yaml-file.ts'
import { BLOWS, type Blow, type BlowKind } from './blow.ts'
import { LIMITS, type Limits } from './limits.ts'

/** A rehearsal as it stands in a file. */
export interface Scenario {
  /** Its file without folder and ending. */
  readonly name: string
  readonly about: string
  readonly blow: Blow
  /** How long it lasts; absent: until nobody can be sent there any more. Milliseconds. */
  readonly forMs?: number
  /** Of `flap`: milliseconds from one death to the next, and how many. */
  readonly everyMs: number
  readonly times: number
  /** Whether answers go on naming the edge. */
  readonly stays: boolean
  readonly load: { readonly rate: number; readonly clients: number; readonly warmMs: number; readonly uncached: boolean }
  /** Those that are given; the others are as `defaultLimits` has them. */
  readonly limits: Partial<Limits>
}

export const DEFAULT_LOAD = { rate: 50, clients: 100, warmMs: 3000, uncached: false }
/** Every second edge. */
const HALF = 'half'
const FLAPS = { everyMs: 5000, times: 4 }
const KEYS = ['about', 'for', 'every', 'times', 'stays', 'load', 'limits']
/** The default delay of `slow` and status of `error`. */
const DELAY_MS = 1000
const STATUS = 503

/** Whom a scenario may strike in a fleet of this configuration. */
export function strikable({ edges, regionals, shields, origins }: Config): string[] {
  const demos = Object.entries(origins).flatMap(([name, origin]) => ('demo' in origin ? [name] : []))
  return [...Object.keys(edges), ...Object.keys(regionals), ...Object.keys(shields), ...demos, 'daemon']
}

/**
 * Reads a scenario, and tells every fault of it at once.
 * @param members whom it may strike; absent: that is not known
 */
export function readScenario(file: string, text: string, members?: readonly string[]): { readonly scenario?: Scenario; readonly faults: readonly Fault[] } {
  const source = readYaml(file, text)
  if (source.faults.length > 0) return { faults: source.faults }
  const reader = new ScenarioReader(source, members)
  const scenario = reader.read(file.replace(/^.*\//, '').replace(/\.ya?ml$/, ''))
  return reader.faults.length === 0 && scenario !== undefined ? { scenario, faults: [] } : { faults: reader.faults }
}

type Path = readonly PropertyKey[]

/** Turns YAML values into a scenario. A class for the faults it gathers; it lives as long as one reading. */
class ScenarioReader {
  readonly faults: Fault[] = []
  readonly #source: YamlFile
  readonly #members: readonly string[] | undefined

  constructor(source: YamlFile, members: readonly string[] | undefined) {
    this.#source = source
    this.#members = members
  }

  read(name: string): Scenario | undefined {
    const { value } = this.#source
    if (!isMap(value)) return this.#fault([], 'expected a scenario', 'such as kill: icn')
    const kinds = Object.keys(value).filter((key) => key in BLOWS) as BlowKind[]
    for (const key of Object.keys(value)) {
      if (!KEYS.includes(key) && !(key in BLOWS)) this.#fault([key], `unknown key ${key}`, suggestion(key, [...KEYS, ...Object.keys(BLOWS)]), true)
    }
    const [kind] = kinds
    if (kind === undefined) this.#fault([], 'nothing is done to anybody', `one of ${Object.keys(BLOWS).join(', ')}`)
    if (kinds.length > 1) this.#fault([kinds[1]!], `${kinds.join(' and ')} stand in one scenario; it has one blow`, undefined, true)
    const blow = kind === undefined ? undefined : this.#blow(kind, value[kind])
    const forMs = this.#duration(value, ['for'])
    return {
      name,
      about: this.#text(value, 'about') ?? name,
      blow: blow ?? { kind: 'stop', members: [] },
      ...(forMs !== undefined && { forMs }),
      everyMs: this.#duration(value, ['every']) ?? FLAPS.everyMs,
      times: this.#count(value, ['times'], 1, 100) ?? FLAPS.times,
      stays: this.#flag(value, ['stays']) ?? false,
      load: this.#load(value['load']),
      limits: this.#limits(value['limits'])
    }
  }

  #blow(kind: BlowKind, value: unknown): Blow | undefined {
    const withValue = (kind === 'slow' || kind === 'error') && isMap(value)
    const members = withValue ? Object.keys(value) : typeof value === 'string' ? [value] : Array.isArray(value) && value.every((each) => typeof each === 'string') ? (value as string[]) : []
    if (members.length === 0) return this.#fault([kind], `${kind}: expected members of the fleet`, `such as ${kind}: icn, or ${kind}: [icn, nrt]`)
    for (const [index, member] of members.entries()) this.#member(member, Array.isArray(value) ? [kind, index] : withValue ? [kind, member] : [kind], withValue, members.length > 1)
    if (!withValue) return { kind, members, ...(kind === 'slow' && { delayMs: DELAY_MS }), ...(kind === 'error' && { status: STATUS }) }
    const values = members.map((member) => (kind === 'slow' ? this.#duration(value, [kind, member], value[member]) : this.#count(value, [kind, member], 400, 599, value[member])))
    if (new Set(values).size > 1) return this.#fault([kind], `${kind}: one value for all members of a scenario`)
    const [first] = values
    return first === undefined ? undefined : { kind, members, ...(kind === 'slow' ? { delayMs: first } : { status: first }) }
  }

  #member(member: string, path: Path, isKey: boolean, isOneOfMany: boolean): void {
    if (this.#members === undefined || (member === HALF && !isOneOfMany) || this.#members.includes(member)) return
    this.#fault(path, `there is no member ${member}`, suggestion(member, [...this.#members, HALF]) ?? `known: ${[...this.#members, HALF].join(', ')}`, isKey)
  }

  #load(value: unknown): Scenario['load'] {
    if (value === undefined) return DEFAULT_LOAD
    if (!isMap(value)) return this.#fault(['load'], 'load: expected rate, clients, warm-up and uncached', 'load: { rate: 50, clients: 100, warm-up: 3s, uncached: false }') ?? DEFAULT_LOAD
    this.#known(value, ['load'], ['rate', 'clients', 'warm-up', 'uncached'])
    return {
      rate: this.#count(value, ['load', 'rate'], 1, 2000) ?? DEFAULT_LOAD.rate,
      clients: this.#count(value, ['load', 'clients'], 1, 100_000) ?? DEFAULT_LOAD.clients,
      warmMs: this.#duration(value, ['load', 'warm-up']) ?? DEFAULT_LOAD.warmMs,
      uncached: this.#flag(value, ['load', 'uncached']) ?? DEFAULT_LOAD.uncached
    }
  }

  #limits(value: unknown): Partial<Limits> {
    if (value === undefined) return {}
    if (!isMap(value)) return this.#fault(['limits'], 'limits: expected limits by name', 'limits: { answer: 1s, failed: 0 }') ?? {}
    this.#known(value, ['limits'], Object.keys(LIMITS))
    return Object.fromEntries(
      Object.entries(LIMITS).flatMap(([key, { limit, kind }]) => {
        const read = kind === 'duration' ? this.#duration(value, ['limits', key]) : this.#count(value, ['limits', key], 0, 1e9)
        return read === undefined ? [] : [[limit, read]]
      })
    )
  }

  #known(value: Record<string, unknown>, path: Path, known: readonly string[]): void {
    for (const key of Object.keys(value)) if (!known.includes(key)) this.#fault([...path, key], `unknown key ${key}`, suggestion(key, known), true)
  }

  #duration(map: Record<string, unknown>, path: Path, value = map[String(path.at(-1))]): number | undefined {
    if (value === undefined) return undefined
    const read = typeof value === 'string' ? parseDuration(value) : undefined
    return read ?? this.#fault(path, `${path.map(String).join('.')}: expected a duration such as 500ms, 5s or 2m`)
  }

  #count(map: Record<string, unknown>, path: Path, least: number, most: number, value = map[String(path.at(-1))]): number | undefined {
    if (value === undefined) return undefined
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
    return this.#fault(path, `${path.map(String).join('.')}: expected a whole number from ${least} to ${most}`)
  }

  #flag(map: Record<string, unknown>, path: Path): boolean | undefined {
    const value = map[String(path.at(-1))]
    if (value === undefined || typeof value === 'boolean') return value
    return this.#fault(path, `${path.map(String).join('.')}: expected true or false`)
  }

  #text(map: Record<string, unknown>, key: string): string | undefined {
    const value = map[key]
    if (value === undefined || typeof value === 'string') return value
    return this.#fault([key], `${key}: expected a text`)
  }

  #fault(path: Path, reason: string, hint?: string, key = false): undefined {
    this.faults.push({ ...this.#source.position(path, key), severity: 'error', reason, ...(hint !== undefined && { hint }) })
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
