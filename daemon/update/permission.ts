import { CLASS, isSubdomain, nameFromText, nameToText, TYPE, typeToText } from '../wire/index.ts'
import type { UpdateRecord } from './message.ts'
import { keyOf, type ZoneView } from './rrset.ts'

/** A row of `allow-update`. */
export interface RuleText {
  /** Name of the TSIG key. */
  readonly key: string
  /** Names it may change as the operator wrote them, relative to the zone or with a final dot; absent: every name of the zone. */
  readonly names?: readonly string[]
  /** Types it may change; absent: every type but SOA, NS and those of DNSSEC. ANY: every type. */
  readonly types?: readonly number[]
}

/** `allow-update` of one zone, made ready. */
export interface Rules {
  /** Whether the key may change this name at all. */
  mayTouch(key: string, owner: Uint8Array): boolean
  /** Whether the key may change records of this type there. */
  mayChange(key: string, owner: Uint8Array, type: number): boolean
}

interface Rule {
  /** Labels, the leftmost first, in lower case; `*` stands for one or more. Absent: any name. */
  readonly patterns?: readonly (readonly string[])[]
  readonly types?: ReadonlySet<number>
}

/** What a rule without types leaves out: what makes a zone, what hands names to others, and the keys of DNSSEC. */
const NOT_BY_DEFAULT: ReadonlySet<number> = new Set([TYPE.SOA, TYPE.NS, TYPE.DS, TYPE.DNSKEY, TYPE.CDS, TYPE.CDNSKEY, TYPE.CSYNC])
/** What an apex keeps when all that it has is deleted (RFC 2136 §3.4.2.3). */
const KEPT_AT_APEX: ReadonlySet<number> = new Set([TYPE.SOA, TYPE.NS])

/** Makes the rules of a zone ready. */
export function compileRules(origin: Uint8Array, texts: readonly RuleText[]): Rules {
  const byKey = new Map<string, Rule[]>()
  for (const { key, names, types } of texts) {
    const rule: Rule = {
      ...(names !== undefined && { patterns: names.map((name) => labelsOf(patternName(name, origin) as Uint8Array)) }),
      ...(types !== undefined && !types.includes(TYPE.ANY) && { types: new Set(types) }),
      ...(types === undefined && { types: ALL_BUT })
    }
    const id = keyName(key)
    byKey.set(id, [...(byKey.get(id) ?? []), rule])
  }
  const at = (key: string, owner: Uint8Array): Rule[] => {
    const rules = byKey.get(keyName(key)) ?? []
    const labels = rules.some(({ patterns }) => patterns !== undefined) ? labelsOf(owner) : []
    return rules.filter(({ patterns }) => patterns === undefined || patterns.some((pattern) => matches(pattern, labels)))
  }
  return {
    mayTouch: (key, owner) => at(key, owner).length > 0,
    mayChange: (key, owner, type) => at(key, owner).some(({ types }) => types === undefined || types.has(type))
  }
}

const ALL_BUT = { has: (type: number) => !NOT_BY_DEFAULT.has(type) } as ReadonlySet<number>

const keyName = (key: string): string => key.toLowerCase().replace(/\.$/, '')

/** Why a pattern is none; undefined when it is one. `origin` in wire form. */
export function namePatternFault(pattern: string, origin: Uint8Array): string | undefined {
  const name = patternName(pattern, origin)
  if (typeof name === 'string') return name
  return isSubdomain(name, origin) ? undefined : `${nameToText(name)} lies outside the zone ${nameToText(origin)}`
}

function patternName(pattern: string, origin: Uint8Array): Uint8Array | string {
  return nameFromText(pattern, origin)
}

function labelsOf(name: Uint8Array): string[] {
  const key = keyOf(name)
  const labels: string[] = []
  for (let at = 0; key.charCodeAt(at) > 0; at += key.charCodeAt(at) + 1) labels.push(key.slice(at + 1, at + 1 + key.charCodeAt(at)))
  return labels
}

/** `*` takes one label at least, and as many more as the rest needs. */
function matches(pattern: readonly string[], labels: readonly string[]): boolean {
  let [at, read] = [0, 0]
  let [star, taken] = [-1, 0]
  while (read < labels.length) {
    if (pattern[at] === '*') {
      star = at++
      taken = ++read
    } else if (at < pattern.length && pattern[at] === labels[read]) {
      at++
      read++
    } else if (star >= 0) {
      at = star + 1
      read = ++taken
    } else return false
  }
  return at === pattern.length
}

/** The first thing in a list of updates that the key may not do, in words; undefined when it may do all. What lies outside the zone is not judged here. */
export function firstRefused(rules: Rules, key: string, view: ZoneView, updates: readonly UpdateRecord[]): string | undefined {
  for (const { owner, type, class: kind } of updates) {
    if (!isSubdomain(owner, view.origin)) continue
    if (kind !== CLASS.ANY || type !== TYPE.ANY) {
      if (!rules.mayChange(key, owner, type)) return `${nameToText(owner)} ${typeToText(type)} is not for the key ${key}`
      continue
    }
    if (!rules.mayTouch(key, owner)) return `${nameToText(owner)} is not for the key ${key}`
    // All that a name has: every type of it must be the key's to change. What an apex keeps in any case is left out.
    const isApex = owner.length === view.origin.length
    const foreign = view.setsOf(owner).find((set) => !(isApex && KEPT_AT_APEX.has(set.type)) && !rules.mayChange(key, owner, set.type))
    if (foreign !== undefined) return `${nameToText(owner)} has ${typeToText(foreign.type)}, which is not for the key ${key}`
  }
  return undefined
}
