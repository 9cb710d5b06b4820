import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { formatAddress, parsePrefix } from './address.ts'
import { checkAnycast } from './config-anycast.ts'
import { checkPops } from './config-pops.ts'
import { checkTiers } from './config-tiers-check.ts'
import { configSchema, type Config } from './config.ts'
import { CHECK_SETTINGS } from './config-checks.ts'
import { nearest, suggestion } from './suggest.ts'
import { ConfigError, whyUnreadable, type Fault } from './trouble.ts'
import { describeIssue, faultsOf, readYaml, type YamlFile } from './yaml-file.ts'

/**
 * Reads and checks nearcast.yaml.
 * @param file the path, as it is to stand in messages
 * @throws ConfigError with every fault of the file
 */
export function loadConfig(file: string): Config {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigError([{ file, line: 1, column: 1, severity: 'error', reason: `cannot be read: ${whyUnreadable(error)}` }])
  }
  const { config, faults } = parseConfig(file, text)
  if (config === undefined) throw new ConfigError(faults)
  return config
}

/** Checks the text of a nearcast.yaml; `config` is there only when there are no faults. */
export function parseConfig(file: string, text: string): { config?: Config; faults: readonly Fault[] } {
  const source = readYaml(file, text)
  if (source.faults.length > 0) return { faults: source.faults }
  const parsed = configSchema.safeParse(source.value ?? {}, { error: describeIssue, reportInput: true })
  if (!parsed.success) {
    const faults = faultsOf(parsed.error, source, (key, path) => elsewhere(key, path) ?? suggestion(key, keysAt(path)))
    const sound = soundPart(source.value)
    if (sound !== undefined) faults.push(...crossCheck(sound, source))
    return { faults: faults.sort((a, b) => a.line - b.line || a.column - b.column) }
  }
  const faults = crossCheck(parsed.data, source)
  return faults.length > 0 ? { faults } : { config: parsed.data, faults }
}

/** Of a key that is known, but not there: where it may stand. */
function elsewhere(key: string, [kind]: readonly PropertyKey[]): string | undefined {
  return key === 'workers' && (kind === 'regionals' || kind === 'shields') ? 'only edges have workers; several regionals share the keys among them' : undefined
}

/**
 * What the schema takes of a value: whatever an issue speaks of is left out, a level more each round, so that the rest can
 * still be checked as a whole. Undefined when nothing is left.
 */
function soundPart(value: unknown): Config | undefined {
  const rest: unknown = structuredClone(value)
  for (let round = 0; round < 8; round++) {
    const parsed = configSchema.safeParse(rest)
    if (parsed.success) return parsed.data
    for (const issue of parsed.error.issues) {
      // A list is left out whole: its other entries would change their places.
      const index = issue.path.findIndex((step) => typeof step === 'number')
      const path = index < 0 ? issue.path : issue.path.slice(0, index)
      if (issue.code === 'unrecognized_keys' && index < 0) for (const key of issue.keys) leaveOut(rest, [...path, key])
      else leaveOut(rest, path)
    }
  }
  return undefined
}

/** Deletes what stands at a path, or the nearest thing above it that is there. */
function leaveOut(from: unknown, path: readonly PropertyKey[]): void {
  let map = from
  const trail = path.map((key) => {
    const here = map as Record<PropertyKey, unknown> | undefined
    map = isMap(here) ? here[key] : undefined
    return { here, key }
  })
  const last = trail.findLast(({ here, key }) => isMap(here) && key in here)
  if (last !== undefined) delete last.here![last.key]
}

const isMap = (value: unknown): value is Record<PropertyKey, unknown> => typeof value === 'object' && value !== null

/** The names in one map of the file, those of entries with faults too. */
function namesIn(source: YamlFile, key: string): string[] {
  const map = isMap(source.value) ? source.value[key] : undefined
  return isMap(map) ? Object.keys(map) : []
}

/** The checks of the file, those with faults too. */
function checkNames(source: YamlFile): string[] {
  return namesIn(source, 'checks').filter((name) => !CHECK_SETTINGS.includes(name))
}

/** Calculated checks speak of others that are there, and never of themselves. */
function checkCalculated({ checks: { named } }: Config, source: YamlFile, reference: (path: readonly PropertyKey[], name: string, what: string, known: string[]) => void, fault: (path: readonly PropertyKey[], reason: string) => void): void {
  const known = ['default', ...checkNames(source)]
  const done = new Set<string>()
  const visit = (name: string, trail: readonly string[]): void => {
    for (const [index, part] of (named[name]?.of ?? []).entries()) {
      const path = ['checks', name, 'of', index]
      if (trail.includes(part)) fault(path, `checks lead in a loop: ${[...trail.slice(trail.indexOf(part)), part].join(' -> ')}`)
      else if (trail.length > DEEPEST_CHECK) fault(path, `checks are made of checks through more than ${DEEPEST_CHECK} names`)
      else if (!done.has(part)) visit(part, [...trail, part])
    }
    done.add(name)
  }
  for (const [name, { of = [] }] of Object.entries(named)) {
    for (const [index, part] of of.entries()) reference(['checks', name, 'of', index], part, 'check', known)
    if (!done.has(name)) visit(name, [name])
  }
}

/** Cache policies that are there without being written. */
const POLICY_SETS = ['rfc9111', 'cloudfront']

const DEEPEST_CHECK = 8

/** The keys that may stand in the map at `path`. */
function keysAt(path: readonly PropertyKey[]): string[] {
  let schema: unknown = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' })
  for (const step of path) {
    const { properties, additionalProperties, items } = schema as { properties?: Record<string, unknown>; additionalProperties?: unknown; items?: unknown }
    schema = typeof step === 'number' ? items : (properties?.[String(step)] ?? additionalProperties)
    if (typeof schema !== 'object' || schema === null) return []
  }
  const { properties, anyOf } = schema as { properties?: object; anyOf?: { properties?: object }[] }
  return Object.keys(properties ?? Object.assign({}, ...(anyOf ?? []).map((choice) => choice.properties)))
}

/** What one key alone cannot show: names that are not defined, addresses and host names used twice. */
function crossCheck(config: Config, source: YamlFile): Fault[] {
  const faults: Fault[] = []
  const fault = (path: readonly PropertyKey[], reason: string, hint?: string): void => {
    const found = { ...source.position(path), severity: 'error' as const, reason: `${path.map(String).join('.')}: ${reason}` }
    faults.push(hint === undefined ? found : { ...found, hint })
  }
  const reference = (path: readonly PropertyKey[], name: string | undefined, what: string, known: string[]): void => {
    if (name !== undefined && !known.includes(name)) fault(path, `there is no ${what} ${name}`, suggestion(name, known))
  }
  faults.push(...checkTiers(config, source, namesIn))

  for (const name of Object.keys(config.latency.urls)) reference(['latency', 'urls', name], name, 'edge', namesIn(source, 'edges'))
  for (const kind of ['edges', 'regionals', 'shields'] as const) {
    for (const [name, { check }] of Object.entries(config[kind])) reference([kind, name, 'check'], check, 'check', ['default', ...checkNames(source)])
  }
  checkCalculated(config, source, reference, fault)

  faults.push(...checkPeers(config, source), ...checkPops(config, source), ...checkAnycast(config, source, prefixesNamed(source)), ...checkViews(config, source))

  const names = new Map<string, string>()
  const usedAddresses = new Map<string, string>()
  const claim = (path: readonly PropertyKey[], address: string, owner: string): void => {
    const other = usedAddresses.get(address)
    if (other === undefined) usedAddresses.set(address, owner)
    else fault(path, `${address} is already the address of ${other}`)
  }
  for (const kind of ['edges', 'regionals', 'shields'] as const) {
    for (const [name, member] of Object.entries(config[kind])) {
      const other = names.get(name)
      if (other !== undefined) fault([kind, name], `${name} is already the name of one of the ${other}`)
      names.set(name, kind)
      for (const address of member.address) claim([kind, name, 'address'], address, name)
    }
  }
  for (const [name, origin] of Object.entries(config.origins)) if ('demo' in origin) claim(['origins', name, 'demo'], origin.demo, name)

  for (const [name, policy] of Object.entries(config['cache-policies'])) {
    if (POLICY_SETS.includes(name)) fault(['cache-policies', name], 'this is the name of a set that is always there', 'choose another, with `set: ' + name + '` in it')
    const { 'min-ttl': min = 0, 'max-ttl': max = Infinity } = policy
    if (min > max) fault(['cache-policies', name, 'min-ttl'], 'it is longer than max-ttl')
  }
  const groups = namesIn(source, 'origin-groups')
  const hosts = new Map<string, string>()
  for (const [id, distribution] of Object.entries(config.distributions)) {
    for (const [index, behaviour] of distribution.behaviours.entries()) {
      reference(['distributions', id, 'behaviours', index, 'origin'], behaviour.origin, groups.length === 0 ? 'origin' : 'origin or group of origins', [...namesIn(source, 'origins'), ...groups])
      const { compress } = behaviour
      if (compress !== false && compress['min-size'] > compress['max-size']) fault(['distributions', id, 'behaviours', index, 'compress', 'min-size'], 'it is larger than max-size')
      reference(['distributions', id, 'behaviours', index, 'policy'], behaviour.policy, 'cache policy', [...POLICY_SETS, ...namesIn(source, 'cache-policies')])
    }
    for (const [index, host] of [`${id}.${config.domain}`, ...distribution.aliases].entries()) {
      const other = hosts.get(host)
      if (other !== undefined) fault(['distributions', id, 'aliases', index - 1], `${host} is already a name of ${other}`)
      hosts.set(host, id)
    }
  }
  return faults
}

/** Whether anycast names prefixes at all, be they faulty. */
function prefixesNamed({ value }: YamlFile): boolean {
  const anycast = isMap(value) ? value['anycast'] : undefined
  const prefixes = isMap(anycast) ? anycast['prefixes'] : undefined
  return isMap(prefixes) && Object.keys(prefixes).length > 0
}

/** A network is in one view: which of two it would be nobody could tell. */
function checkViews({ dns: { views } }: Config, source: YamlFile): Fault[] {
  const owners = new Map<string, string>()
  return Object.entries(views).flatMap(([view, prefixes]) =>
    prefixes.flatMap((text, index): Fault[] => {
      const { bytes, length } = parsePrefix(text)!
      const plain = `${formatAddress(bytes)}/${length}`
      const owner = owners.get(plain)
      owners.set(plain, owner ?? view)
      if (owner === undefined || owner === view) return []
      return [{ ...source.position(['dns', 'views', view, index]), severity: 'error', reason: `dns.views.${view}.${index}: ${text} is already in view ${owner}` }]
    })
  )
}

/** The peers that zones speak of. */
function checkPeers(config: Config, source: YamlFile): Fault[] {
  const peers = namesIn(source, 'peers')
  const faults: Fault[] = []
  const look = (zone: string, key: string, names: readonly string[]): void => {
    for (const [index, name] of names.entries()) {
      if (peers.includes(name) || !/^[a-z0-9-]+$/.test(name)) continue
      const hint = suggestion(name, peers) ?? 'peers are named under peers:'
      faults.push({ ...source.position(['zones', zone, key, index]), severity: 'error', reason: `zones.${zone}.${key}: there is no peer ${name}`, hint })
    }
  }
  for (const [zone, rules] of Object.entries(config.zones)) {
    look(zone, 'allow-transfer', rules['allow-transfer'])
    look(zone, 'notify', rules.notify)
    look(zone, 'primaries', rules.primaries ?? [])
    if (rules.primaries === undefined || rules['allow-update'].length === 0) continue
    faults.push({ ...source.position(['zones', zone, 'allow-update']), severity: 'error', reason: `zones.${zone}.allow-update: a secondary zone changes at its primaries only` })
  }
  return faults
}

/** Where the configuration speaks of keys that are in none of its key files. @param known names in lower case, without final dot */
export function checkKeyNames(file: string, text: string, config: Config, known: readonly string[]): Fault[] {
  const source = readYaml(file, text)
  const faults: Fault[] = []
  const look = (path: readonly PropertyKey[], name: string | undefined): void => {
    if (name === undefined || known.includes(name)) return
    const hint = suggestion(name, known) ?? (known.length === 0 ? 'files with keys are named under keys:' : undefined)
    faults.push({ ...source.position(path), severity: 'error', reason: `${path.map(String).join('.')}: there is no key ${name}`, ...(hint !== undefined && { hint }) })
  }
  for (const [name, peer] of Object.entries(config.peers)) look(['peers', name, 'key'], peer.key)
  for (const [zone, rules] of Object.entries(config.zones)) {
    for (const [index, entry] of rules['allow-transfer'].entries()) if (entry.startsWith('key:')) look(['zones', zone, 'allow-transfer', index], entry.slice(4))
    for (const [index, rule] of rules['allow-update'].entries()) look(['zones', zone, 'allow-update', index, 'key'], rule.key)
  }
  return faults
}

/** Where the configuration speaks of zones that are neither served from a file nor transferred in. @param known names in lower case, without final dot */
export function checkZoneNames(file: string, text: string, config: Config, known: readonly string[], inViews: readonly string[] = []): Fault[] {
  const source = readYaml(file, text)
  return Object.entries(config.zones).flatMap(([zone, { primaries }]): Fault[] => {
    if (primaries !== undefined || known.includes(zone)) return []
    const hint = inViews.includes(zone) ? 'zones of views are neither transferred nor updated' : suggestion(zone, known)
    return [{ ...source.position(['zones', zone], true), severity: 'error', reason: `zones.${zone}: there is no zone ${zone}`, ...(hint !== undefined && { hint }) }]
  })
}

/** Where the folders of views and `dns.views` do not go together. @param folders those of `views/` in the zones folder, which is called `label` */
export function checkViewFolders(file: string, text: string, { dns: { views } }: Config, folders: readonly string[], label: string): Fault[] {
  const names = Object.keys(views)
  if (names.length === 0 && folders.length === 0) return []
  const source = readYaml(file, text)
  const strays = folders.filter((folder) => !names.includes(folder))
  const missing = names.filter((name) => !folders.includes(name)).map((name): Fault => {
    const near = nearest(name, strays)
    return { ...source.position(['dns', 'views', name], true), severity: 'error', reason: `dns.views.${name}: there is no folder ${label}${name}/, which its zones stand in`, ...(near !== undefined && { hint: `did you mean ${near}?` }) }
  })
  return [...missing, ...strays.map((folder): Fault => ({ ...source.position(['dns', 'views'], true), severity: 'warning', reason: `dns.views has no view ${folder}: nobody is answered from ${label}${folder}/`, hint: 'name its networks under dns.views' }))]
}
