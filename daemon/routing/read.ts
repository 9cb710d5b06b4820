import { parseAddress } from '../../core/address.ts'
import { suggestion } from '../../core/suggest.ts'
import type { Fault } from '../../core/trouble.ts'
import { readYaml, type YamlFile } from '../../core/yaml-file.ts'
import { policiesWithNames } from './check-names.ts'
import { checkPolicies, findLoops, unusedPolicies } from './check.ts'
import { CollectionReader, type NetworkOptions } from './collections.ts'
import type { Draft, Reference } from './draft.ts'
import { NO_PLAN, type NetworkPlan } from './networks.ts'
import { isRecord, type Reading, type Spot } from './reading.ts'
import { addressTarget, isTarget, readTarget } from './targets.ts'
import type { Branch, Node, OnAllDown } from './tree.ts'
import type { RoutingImage, Target } from './types.ts'
import { VERBS } from './verbs.ts'

type Path = readonly PropertyKey[]

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$/
/** Words that mean something else where a policy's name may stand. */
const RESERVED = ['all', 'last-good', 'empty', 'default']
const MAX_DEPTH = 64

export interface ReadPolicies {
  /** Absent when any fault is an error. */
  readonly image?: RoutingImage
  /** What the table of networks is to hold for them. */
  readonly networks: NetworkPlan
  /** Every policy that is named in the file, those with faults too; `renaming` are those that may answer a CNAME. */
  readonly names: ReadonlySet<string> & { readonly renaming?: ReadonlySet<string> }
  readonly faults: readonly Fault[]
  /** A warning for each policy that neither a name in `used` nor a policy that is used leads to. */
  unused(used: ReadonlySet<string>): Fault[]
}

/**
 * Reads and checks policies.yaml; tells every fault of the file at once.
 * @param options.file its path as shown in messages
 * @param options.read for collections of networks that stand in files of their own
 * @param options.targets the edges of nearcast.yaml in order; what is written out in policies is appended in the image
 * @param options.checks names of the checks of nearcast.yaml that such targets may have
 */
export function readPolicies({ file, text, targets, checks = [], ...options }: { file: string; text: string; targets: readonly Target[]; checks?: readonly string[] } & NetworkOptions): ReadPolicies {
  const source = readYaml(file, text)
  const faults = [...source.faults]
  const nothing = { names: new Set<string>(), networks: NO_PLAN, faults, unused: () => [] }
  if (faults.length > 0) return nothing
  const written = topLevel(source, faults)
  if (written === undefined) return nothing
  const networks = new CollectionReader(source, faults, networksOf(source), options)
  const reader = new PolicyReader(source, faults, { targets, names: Object.keys(written), checks, networks })
  const policies: { name: string; root: Branch }[] = []
  for (const [name, value] of Object.entries(written)) {
    reader.checkName(name)
    const root = reader.policy(name, value)
    // A place holder keeps the numbers of the policies after it; with an error there is no image.
    policies.push({ name, root: root ?? { kind: 'target', target: 0 } })
  }
  const draft: Draft = { policies: { nodes: reader.nodes, policies }, targets: reader.targets, references: reader.references, file: source, nodePaths: reader.nodePaths }
  // Loops show in the references alone; the rest takes nodes that are whole.
  faults.push(...(faults.some((fault) => fault.severity === 'error') ? findLoops(draft) : [...checkPolicies(draft, networks.plan()), ...networks.unused()]))
  const names = new Set(Object.keys(written))
  const unused = (used: ReadonlySet<string>): Fault[] => unusedPolicies(draft, used)
  faults.sort((a, b) => Number(a.file !== file) - Number(b.file !== file) || (a.file === b.file ? a.line - b.line || a.column - b.column : 0))
  if (faults.some((fault) => fault.severity === 'error')) return { names, networks: NO_PLAN, faults, unused }
  const renaming = new Set([...policiesWithNames(draft.policies, reader.targets)].map((policy) => policies[policy]!.name))
  return { image: { policies: draft.policies, targets: reader.targets }, names: Object.assign(names, { renaming }), networks: networks.plan(), faults, unused }
}

function topLevel(source: YamlFile, faults: Fault[]): Record<string, unknown> | undefined {
  const fault = (path: Path, reason: string, hint: string): void => {
    faults.push({ ...source.position(path, true), severity: 'error', reason, hint })
  }
  const value = source.value ?? {}
  if (!isRecord(value)) {
    fault([], 'expected policies by name', 'policies: { nearest: { latency: [icn, nrt] } }')
    return undefined
  }
  for (const key of Object.keys(value)) if (key !== 'policies' && key !== 'networks') fault([key], `unknown key ${key}`, suggestion(key, ['policies', 'networks']) ?? 'the keys here are policies:, under which every policy stands, and networks:')
  const policies = value['policies'] ?? {}
  if (isRecord(policies)) return policies
  fault(['policies'], 'policies: expected policies by name', 'policies: { nearest: { latency: [icn, nrt] } }')
  return undefined
}

const networksOf = ({ value }: YamlFile): unknown => (isRecord(value) ? value['networks'] : undefined)

/** Turns YAML values into nodes. A class for what it gathers on the way; it lives as long as one reading. */
class PolicyReader {
  readonly nodes: Node[] = []
  /** Where each node stands. */
  readonly nodePaths: Path[] = []
  readonly targets: Target[]
  readonly references: Reference[] = []
  readonly #networks: CollectionReader
  readonly #source: YamlFile
  readonly #faults: Fault[]
  readonly #policyNumbers: Map<string, number>
  readonly #targetNumbers: Map<string, number>
  readonly #checks: readonly string[]
  /** The policy that is being read. */
  #policy = 0

  constructor(source: YamlFile, faults: Fault[], { targets, names, checks, networks }: { readonly targets: readonly Target[]; readonly names: readonly string[]; readonly checks: readonly string[]; readonly networks: CollectionReader }) {
    this.#source = source
    this.#networks = networks
    this.#faults = faults
    this.targets = [...targets]
    this.#checks = checks
    this.#policyNumbers = new Map(names.map((name, number) => [name, number]))
    this.#targetNumbers = new Map(targets.map((target, number) => [target.name, number]))
  }

  policy(name: string, value: unknown): Branch | undefined {
    this.#policy = this.#policyNumbers.get(name)!
    return this.#branch(value, ['policies', name], `policy ${name}`, false, 0)
  }

  checkName(name: string): void {
    const path = ['policies', name]
    if (!NAME.test(name)) this.#fault(path, `${name}: a policy's name is made of letters, digits, - and _, 63 at most`, undefined, 'error', true)
    if (RESERVED.includes(name)) this.#fault(path, `${name} has a meaning of its own and cannot name a policy`, undefined, 'error', true)
    if (this.#targetNumbers.has(name)) this.#fault(path, `${name} is the name of an edge already`, undefined, 'error', true)
  }

  #fault(path: Path, reason: string, hint?: string, severity: Fault['severity'] = 'error', key = false): undefined {
    const fault = { ...this.#source.position(path, key), severity, reason }
    this.#faults.push(hint === undefined ? fault : { ...fault, hint })
  }

  #branch(value: unknown, path: Path, label: string, key: boolean, depth: number): Branch | undefined {
    if (typeof value === 'string') return this.#named(value, path, key)
    if (Array.isArray(value)) return this.#fault(path, 'a list needs a verb that says what it is for', `such as failover: [${value.filter((item) => typeof item === 'string').join(', ')}]`)
    if (!isRecord(value)) return this.#fault(path, 'expected an edge, an address, the name of a policy, or a verb', `verbs: ${Object.keys(VERBS).join(', ')}`)
    if (isTarget(value)) return this.#written(value, path)
    if (depth > MAX_DEPTH) return this.#fault(path, `nested deeper than ${MAX_DEPTH}`, 'give inner parts names of their own')
    return this.#node(value, path, label, depth)
  }

  #named(name: string, path: Path, key: boolean): Branch | undefined {
    const known = this.#targetNumbers.get(name)
    if (known !== undefined) return { kind: 'target', target: known }
    const policy = this.#policyNumbers.get(name)
    if (policy !== undefined) {
      this.references.push({ from: this.#policy, to: policy, at: () => this.#source.position(path, key) })
      return { kind: 'policy', policy }
    }
    const address = parseAddress(name)
    if (address === undefined) {
      const names = [...[...this.#targetNumbers.keys()].filter((each) => parseAddress(each) === undefined), ...this.#policyNumbers.keys()]
      return this.#fault(path, `there is no edge or policy ${name}`, suggestion(name, names), 'error', key)
    }
    return this.#target(addressTarget(address))
  }

  #target(target: Target): Branch {
    const key = target.check === undefined ? target.name : `${target.check}@${target.name}`
    let number = this.#targetNumbers.get(key)
    if (number === undefined) {
      number = this.targets.push(target) - 1
      this.#targetNumbers.set(key, number)
    }
    return { kind: 'target', target: number }
  }

  #written(value: Record<string, unknown>, path: Path): Branch | undefined {
    const read = readTarget(value, this.#checks)
    if ('reason' in read) return this.#fault(read.key === undefined ? path : [...path, read.key], read.reason, read.hint)
    return this.#target(read)
  }

  #node(value: Record<string, unknown>, path: Path, label: string, depth: number): Branch | undefined {
    const keys = Object.keys(value)
    const verbs = keys.filter((key) => Object.hasOwn(VERBS, key))
    const [verb] = verbs
    if (verb === undefined) return this.#noVerb(keys, path)
    if (verbs.length > 1) return this.#fault([...path, verbs[1]!], `${verbs.join(' and ')} stand in one node; a node has one verb`, 'nest them, or give one a name of its own', 'error', true)
    const { parse, options } = VERBS[verb]!
    const allowed = [...options, 'on-all-down']
    for (const key of keys) {
      if (key !== verb && !allowed.includes(key)) this.#fault([...path, key], `unknown key ${key} beside ${verb}`, suggestion(key, [...allowed, ...Object.keys(VERBS)]), 'error', true)
    }
    const parsed = parse(value[verb], value, this.#reading(verb, path, label, depth))
    const onAllDown = 'on-all-down' in value ? this.#onAllDown(value['on-all-down'], [...path, 'on-all-down']) : undefined
    if (parsed === undefined) return undefined
    const node = this.nodes.push({ verb, label, ...parsed, ...(onAllDown !== undefined && { onAllDown }) }) - 1
    this.nodePaths[node] = [...path, verb]
    return { kind: 'node', node }
  }

  #noVerb(keys: readonly string[], path: Path): undefined {
    const all = Object.keys(VERBS)
    const key = keys.find((each) => each !== 'on-all-down')
    if (key === undefined) return this.#fault(path, 'expected a verb', `verbs: ${all.join(', ')}`)
    return this.#fault([...path, key], `there is no verb ${key}`, suggestion(key, all), 'error', true)
  }

  #onAllDown(value: unknown, path: Path): OnAllDown | undefined {
    if (value === 'all' || value === 'last-good' || value === 'empty') return value
    const policy = typeof value === 'string' ? this.#policyNumbers.get(value) : undefined
    if (policy !== undefined) {
      this.references.push({ from: this.#policy, to: policy, at: () => this.#source.position(path) })
      return { policy }
    }
    const known = ['all', 'last-good', 'empty', ...this.#policyNumbers.keys()]
    return this.#fault(path, 'on-all-down: expected all, last-good, empty or the name of a policy', typeof value === 'string' ? suggestion(value, known) : undefined)
  }

  #reading(verb: string, path: Path, label: string, depth: number): Reading {
    const full = (part: Path, spot: Spot): Path => (spot === 'option' ? [...path, ...part] : [...path, verb, ...part])
    const inner = (part: Path): string => [label.replace(/^policy /, ''), ...part.map(String)].join('.')
    return {
      verb,
      fault: (part, reason, hint, spot = 'value') => this.#fault(full(part, spot), reason, hint, 'error', spot === 'key'),
      warn: (part, reason, hint, spot = 'value') => this.#fault(full(part, spot), reason, hint, 'warning', spot === 'key'),
      branch: (value, part, spot = 'value') => this.#branch(value, full(part, spot), inner(part), spot === 'key', depth + 1),
      network: (written, at, mayBeAs) => this.#networks.key(written, [...path, verb, at], mayBeAs)
    }
  }
}
