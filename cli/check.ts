import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAddress } from '../core/address.ts'
import { checkViewFolders, checkZoneNames, parseConfig } from '../core/config-file.ts'
import type { Config } from '../core/config.ts'
import { readRegularFile } from '../core/regular-file.ts'
import { formatFault, whyUnreadable, type Fault, type Position } from '../core/trouble.ts'
import { namesDespiteFaults } from '../core/yaml-file.ts'
import { readPolicies, type ReadPolicies, type Target } from '../daemon/routing/index.ts'
import { findAsDatabase, readOverrides } from '../geodb/index.ts'
import { nameFromText, nameToText } from '../daemon/wire/name.ts'
import { readZone, TYPE_ROUTE, type Zone } from '../daemon/zone/index.ts'
import { BLOWS, readScenario, strikable } from '../fleet/drill/index.ts'
import { mistyped, textOf, type Call, type Command } from './command.ts'
import { configFile, zonesFolder } from './folders.ts'
import { readConfigKeys } from './keys.ts'

const TYPE_SOA = 6

/** A file to check: how the operator calls it, its text, and what it is. */
interface Source {
  readonly label: string
  readonly path: string
  readonly text: string
  readonly kind: 'config' | 'policies' | 'overrides' | 'scenario' | 'zone'
  /** Only those in this view see it. */
  readonly view?: string
}

/** What a check found, and a few words about what it read. */
interface Findings {
  readonly faults: Fault[]
  readonly about: string[]
}

export const check: Command = {
  name: 'check',
  summary: 'check the configuration, the policies and the zones, and print every fault of every file',
  details: [
    'Without FILE: nearcast.yaml, overrides.yaml and policies.yaml where there are any, and every *.zone of the',
    'zones folder. Where no nearcast.yaml stands in the current folder, the one that comes with Nearcast is taken,',
    'and without --zones its zones too. The policies that a zone speaks of are those that stand beside it.',
    'A fault is printed as file:line:column: reason (hint). Exit status: 0 when all is well, 1 with faults, 2 when',
    'something is mistyped or missing; warnings do not count.'
  ],
  arguments: [{ name: 'FILE', optional: true, many: true, completes: 'file' }],
  options: {
    config: { kind: 'file', value: 'FILE', summary: 'configuration (default: nearcast.yaml)' },
    zones: { kind: 'folder', value: 'DIR', summary: 'folder of the zones and of policies.yaml (default: zones/)' },
    zone: { kind: 'text', value: 'ORIGIN', summary: 'check one zone file on its own, as the zone ORIGIN; its policies are not looked up' }
  },
  examples: ['nearcast check', 'nearcast check zones/policies.yaml', 'nearcast check --zone example.org /tmp/example.org.zone'],
  run: async (call) => {
    const origin = textOf(call, 'zone')
    const sources = origin === undefined ? gather(call) : gatherOne(call, origin)
    if (typeof sources === 'string') return mistyped(call.io, sources)
    return report(call, checkAll(call, sources, origin), sources.length)
  }
}

function report({ io }: Call, { faults, about }: Findings, files: number): number {
  const errors = faults.filter(({ severity }) => severity === 'error').length
  for (const fault of faults) io.out(`${formatFault(fault)}\n`)
  const warnings = faults.length - errors
  const warned = warnings > 0 ? `, ${count(warnings, 'warning')}` : ''
  if (errors > 0) io.err(`nearcast: ${count(errors, 'fault')}${warned} in ${count(files, 'file')}\n`)
  else io.out(`all is well${warned}: ${about.join(', ')}\n`)
  return errors > 0 ? 1 : 0
}

function count(number: number, word: string, words = `${word}s`): string {
  return `${number} ${number === 1 ? word : words}`
}

/** The files to check, or in one line what is missing. */
function gather(call: Call): Source[] | string {
  if (call.positionals.length > 0) return readAll(call.positionals.map((label) => ({ label, path: resolve(call.io.cwd, label) })))
  const config = configFile(call)
  const zones = zonesFolder(call)
  const missing = folderTrouble(zones.label, zones.path)
  if (missing !== undefined) return missing
  const names = readdirSync(zones.path).filter((name) => name.endsWith('.zone')).sort()
  const inZones = (name: string) => ({ label: `${zones.label}${name}`, path: join(zones.path, name) })
  // Zones that are steered by nothing need no policies; one that is has a fault without them.
  const policies = existsSync(join(zones.path, 'policies.yaml')) ? [inZones('policies.yaml')] : []
  return readAll([config, ...overridesFile(config.path), ...policies, ...names.map(inZones), ...viewFiles(config.path, zones)])
}

/** The zones and policies of each view that the configuration names and that has a folder. */
function viewFiles(configPath: string, zones: { readonly label: string; readonly path: string }): { label: string; path: string; view: string }[] {
  const { config } = existsSync(configPath) ? parseConfig(configPath, readFileSync(configPath, 'utf8')) : {}
  const files: { label: string; path: string; view: string }[] = []
  for (const view of Object.keys(config?.dns.views ?? {})) {
    const [path, label] = [join(zones.path, 'views', view), `${zones.label}views/${view}/`]
    if (folderTrouble(label, path) !== undefined) continue
    for (const name of readdirSync(path).sort()) if (name.endsWith('.zone') || name === 'policies.yaml') files.push({ label: `${label}${name}`, path: join(path, name), view })
  }
  return files
}

/** The folders that views have their zones in. */
function viewFolders(zonesPath: string): string[] {
  const path = join(zonesPath, 'views')
  return existsSync(path) ? readdirSync(path).filter((name) => folderTrouble(name, join(path, name)) === undefined).sort() : []
}

/** Whether there is a database that policies by autonomous systems can go by. */
function hasAsDatabase(call: Call): boolean {
  const { path } = configFile(call)
  const { config } = existsSync(path) ? parseConfig(path, readFileSync(path, 'utf8')) : {}
  return findAsDatabase({ folder: fileURLToPath(new URL('../../geodb', import.meta.url)), setting: config?.geo.asn ?? 'auto' }) !== undefined
}

/** The operator's overrides of places, where the configuration names a file or there is one in geodb/. */
function overridesFile(configPath: string): { label: string; path: string }[] {
  const { config } = existsSync(configPath) ? parseConfig(configPath, readFileSync(configPath, 'utf8')) : {}
  const named = config?.geo.overrides ?? 'auto'
  if (named !== 'auto') return [{ label: named, path: resolve(named) }]
  const path = fileURLToPath(new URL('../../geodb/overrides.yaml', import.meta.url))
  return existsSync(path) ? [{ label: 'geodb/overrides.yaml', path }] : []
}

function gatherOne(call: Call, origin: string): Source[] | string {
  const wire = nameFromText(origin)
  if (typeof wire === 'string') return `--zone ${origin}: expected the name of a zone such as example.org (${wire})`
  const [file, ...more] = call.positionals
  if (file === undefined || more.length > 0) return 'check --zone needs one FILE: nearcast check --zone ORIGIN FILE'
  const read = readAll([{ label: file, path: resolve(call.io.cwd, file) }])
  return typeof read === 'string' ? read : read.map((source) => ({ ...source, kind: 'zone' }))
}

function folderTrouble(label: string, path: string): string | undefined {
  if (!existsSync(path)) return `there is no folder ${label}`
  return statSync(path).isDirectory() ? undefined : `${label}: expected a folder`
}

function readAll(files: readonly { label: string; path: string; view?: string }[]): Source[] | string {
  const sources: Source[] = []
  for (const { label, path, view } of files) {
    if (!existsSync(path)) return `there is no file ${label}`
    if (!statSync(path).isFile()) return `${label}: expected a file`
    let text: string
    try {
      text = readFileSync(path, 'utf8')
    } catch (error) {
      return `${label} cannot be read: ${whyUnreadable(error)}`
    }
    const kind = kindOf(label, text)
    if (kind === undefined) return `${label}: expected a zone (NAME.zone), policies, a scenario, or a configuration (.yaml)`
    sources.push({ label, path, text, kind, ...(view !== undefined && { view }) })
  }
  return sources
}

/** Only scenarios of drills say at their top what is done to whom. */
const SCENARIO = new RegExp(`^["']?(${Object.keys(BLOWS).join('|')})["']?\\s*:`, 'm')

/** What a file is, by its name, and for YAML by what it begins to say. */
function kindOf(label: string, text: string): Source['kind'] | undefined {
  const name = basename(label)
  if (name.endsWith('.zone')) return 'zone'
  if (name === 'overrides.yaml' || (/\.ya?ml$/.test(name) && name !== 'policies.yaml' && !/^["']?policies["']?\s*:/m.test(text) && /^(networks|resolvers)\s*:/m.test(text))) return 'overrides'
  if (/\.ya?ml$/.test(name) && SCENARIO.test(text)) return 'scenario'
  if (/\.ya?ml$/.test(name)) return name === 'policies.yaml' || /^["']?policies["']?\s*:/m.test(text) ? 'policies' : 'config'
  return /^\$(ORIGIN|TTL)\b|\bSOA\b/m.test(text) ? 'zone' : undefined
}

function checkAll(call: Call, sources: readonly Source[], origin: string | undefined): Findings {
  const faults: Fault[] = []
  const about: string[] = []
  const zones: { source: Source; zone: Zone }[] = []
  const readings: ReadPolicies[] = []
  const configs: { source: Source; config: Config }[] = []
  const fleet = fleetOf(call, sources)
  const policiesBeside = makePolicyFinder(zonesFolder(call).path, fleet, call.positionals.length === 0)
  for (const source of sources) {
    const { label, path, text, kind, view } = source
    if (kind === 'config') {
      const { config, faults: found } = parseConfig(label, text)
      const keyed = config === undefined ? undefined : readConfigKeys(source, text, config)
      faults.push(...found, ...(keyed?.faults ?? []))
      if (config !== undefined) configs.push({ source, config })
      const zonesAt = zonesFolder(call)
      if (config !== undefined && call.positionals.length === 0) faults.push(...checkViewFolders(label, text, config, viewFolders(zonesAt.path), `${zonesAt.label}views/`))
      about.push(keyed === undefined || keyed.keys.size === 0 ? label : `${label} (${count(keyed.keys.size, 'key')})`)
    } else if (kind === 'overrides') {
      const { overrides, faults: found } = readOverrides(label, text)
      faults.push(...found)
      if (overrides !== undefined) about.push(`${label} (${count(overrides.networks.length + overrides.resolvers.length, 'network')})`)
    } else if (kind === 'scenario') {
      faults.push(...readScenario(label, text, fleet.members).faults)
      about.push(`${label} (a scenario)`)
    } else if (kind === 'policies') {
      const read = readPolicies({ file: label, text, ...fleet, read: (name) => readRegularFile(resolve(dirname(path), relative(dirname(label), name))), hasAsDatabase: hasAsDatabase(call) })
      readings.push(read)
      faults.push(...read.faults)
      about.push(`${label} (${count(read.names.size, 'policy', 'policies')})`)
    } else {
      // Views have no policies but those in their own folders.
      const policies = origin !== undefined ? undefined : view !== undefined && !existsSync(join(dirname(path), 'policies.yaml')) ? new Set<string>() : policiesBeside(dirname(path))
      const { zone, faults: found } = readZone({ file: label, read: (name) => readRegularFile(resolve(call.io.cwd, name)), ...(origin !== undefined && { origin }), ...(policies !== undefined && { policies }) })
      faults.push(...found)
      if (zone === undefined) continue
      zones.push({ source, zone })
      about.push(`${label} (${count(zone.records.length, 'record')})`)
    }
  }
  faults.push(...sameZoneTwice(zones), ...filesOfSecondaries(zones, configs))
  // What is not used can be told only where everything that may use it could be read.
  const whole = call.positionals.length === 0 && !faults.some(({ severity }) => severity === 'error')
  const originsOf = (inView: boolean): string[] => zones.filter(({ source }) => (source.view !== undefined) === inView).map(({ zone }) => nameToText(zone.origin).toLowerCase().replace(/(.)\.$/, '$1'))
  if (whole) for (const { source, config } of configs) faults.push(...checkZoneNames(source.label, source.text, config, originsOf(false), originsOf(true)))
  if (whole) for (const read of readings) faults.push(...read.unused(policiesUsed(zones)))
  return { faults, about }
}

function policiesUsed(zones: readonly { zone: Zone }[]): Set<string> {
  const used = new Set<string>()
  for (const { zone } of zones) for (const { type, rdata } of zone.records) if (type === TYPE_ROUTE) used.add(Buffer.from(rdata).toString('latin1'))
  return used
}

/** Finds the names of the policies that stand in a folder, or else in the zones folder; undefined when there is no telling. */
function makePolicyFinder(otherwise: string, fleet: PolicyFleet, isWhole: boolean): (folder: string) => ReadonlySet<string> | undefined {
  const known = new Map<string, ReadonlySet<string> | undefined>()
  return (beside) => {
    const folder = existsSync(join(beside, 'policies.yaml')) ? beside : otherwise
    const path = join(folder, 'policies.yaml')
    if (!known.has(folder)) known.set(folder, isWhole && !existsSync(path) ? new Set() : policyNames(path, fleet))
    return known.get(folder)
  }
}

/** One zone in two files: the second is refused where its SOA stands. */
function sameZoneTwice(zones: readonly { source: Source; zone: Zone }[]): Fault[] {
  const seen = new Map<string, string>()
  return zones.flatMap(({ source, zone }): Fault[] => {
    const name = nameToText(zone.origin).toLowerCase()
    const other = seen.get(`${source.view ?? ''} ${name}`)
    seen.set(`${source.view ?? ''} ${name}`, other ?? source.label)
    return other === undefined ? [] : [{ ...soaOf(zone, source), severity: 'error', reason: `the zone ${name} already stands in ${other}` }]
  })
}

/** A secondary zone that has a file too: the file is refused, in the words of the daemon. */
function filesOfSecondaries(zones: readonly { source: Source; zone: Zone }[], configs: readonly { config: Config }[]): Fault[] {
  const secondaries = configs.flatMap(({ config }) => Object.entries(config.zones).filter(([, { primaries }]) => primaries !== undefined).map(([name]) => name.replace(/\.?$/, '.')))
  return zones.flatMap(({ source, zone }): Fault[] => {
    const name = nameToText(zone.origin).toLowerCase()
    return source.view === undefined && secondaries.includes(name) ? [{ file: source.label, line: 1, column: 1, severity: 'error', reason: `${name} is a secondary zone, which has no file`, hint: 'take the file away, or primaries: out of its zone in nearcast.yaml' }] : []
  })
}

function soaOf(zone: Zone, source: Source): Position {
  for (const { type, at } of zone.records) if (type === TYPE_SOA) return at
  return { file: source.label, line: 1, column: 1 }
}

/** The names of the policies in a file, faults or not; undefined when there is no telling. */
function policyNames(path: string, fleet: PolicyFleet): ReadonlySet<string> | undefined {
  try {
    const { names, image } = readPolicies({ file: path, text: readFileSync(path, 'utf8'), ...fleet })
    return names.size > 0 || image !== undefined ? names : undefined
  } catch {
    return undefined
  }
}

/** What policies may name of nearcast.yaml: edges and checks. */
interface PolicyFleet {
  readonly targets: readonly Target[]
  readonly checks: readonly string[]
  /** Whom drills may strike, where that can be told. */
  readonly members?: readonly string[]
}

/** From a configuration with faults as much as can be made out, so that one fault does not make a hundred. */
function fleetOf(call: Call, sources: readonly Source[]): PolicyFleet {
  const given = sources.find(({ kind }) => kind === 'config')
  const { path } = configFile(call)
  const text = given?.text ?? (existsSync(path) ? readFileSync(path, 'utf8') : '')
  const { config } = parseConfig(path, text)
  if (config === undefined) return { targets: namesDespiteFaults(text, 'edges').map((name) => ({ name, checked: true, ipv4: [], ipv6: [], at: [0, 0] })), checks: namesDespiteFaults(text, 'checks') }
  const targets = Object.entries(config.edges).map(([name, { address, at, capacity }]) => {
    const octets = (family: 4 | 6): Uint8Array[] => address.map((each) => parseAddress(each)!).filter((each) => each.family === family).map(({ bytes }) => bytes)
    return { name, checked: true, ipv4: octets(4), ipv6: octets(6), at, capacity }
  })
  return { targets, checks: Object.keys(config.checks.named), members: strikable(config) }
}
