import { statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { KeyFile } from '../core/channel.ts'
import { checkKeyNames, parseConfig } from '../core/config-file.ts'
import type { Config } from '../core/config.ts'
import { readRegularFile } from '../core/regular-file.ts'
import { readYaml } from '../core/yaml-file.ts'
import { ConfigError, whyUnreadable, type Fault } from '../core/trouble.ts'
import { checkKeyMode, parsePopKeys } from '../daemon/pops/index.ts'
import { COUNTRIES } from '../geodb/index.ts'
import { parseSecrets, readKeyFiles, type TsigKeys } from '../daemon/wire/index.ts'
import type { NamedPath } from './folders.ts'
import { checkPageFiles, withPagePaths } from './page-files.ts'
import { checkCertificates, withCertificatePaths } from './certificates.ts'
import { checkReached } from './unreached.ts'
import { checkUpdateRules } from './update-rules.ts'

/** A configuration with the keys that it names. */
export interface Configured {
  readonly config: Config
  readonly keys: TsigKeys
  /** The same as texts, for a process that is told of them. */
  readonly keyFiles: readonly KeyFile[]
  /** The file with the key of the PoPs, where there are any. */
  readonly popKeys?: KeyFile | undefined
}

/** The keys of the files that a configuration names, and every fault in them and in what the configuration says of them. */
export function readConfigKeys(file: NamedPath, text: string, config: Config): { readonly keys: TsigKeys; readonly keyFiles: readonly KeyFile[]; readonly popKeys?: KeyFile | undefined; readonly faults: readonly Fault[] } {
  const keyFiles: KeyFile[] = []
  const { keys, faults } = readKeyFiles(config.keys, (label) => {
    const path = resolve(dirname(file.path), label)
    const key = readRegularFile(path).toString('utf8')
    keyFiles.push({ label, path, text: key })
    return key
  })
  // Of names in files with faults there is no telling.
  const unknown = faults.some(isError) ? [] : checkKeyNames(file.label, text, config, [...keys.keys()].map((name) => name.replace(/\.$/, '')))
  const pops = readPopKeys(file, config.pops?.keys)
  return { keys, keyFiles, popKeys: pops.popKeys, faults: [...faults, ...unknown, ...checkPlaces(file.label, text, config), ...checkSecrets(file, config.dns['cookie-secrets']), ...pops.faults, ...checkUpdateRules(file.label, text, config), ...checkCertificates(file, text, config), ...checkPageFiles(file, text, config), ...checkReached(file.label, text, config)] }
}

const isError = ({ severity }: Fault): boolean => severity === 'error'

/** Countries that peers are said to be in. */
function checkPlaces(file: string, text: string, config: Config): Fault[] {
  const unknown = Object.entries(config.peers).filter(([, { place }]) => place !== undefined && /^[A-Z]{2}$/.test(place) && !Object.hasOwn(COUNTRIES, place))
  if (unknown.length === 0) return []
  const source = readYaml(file, text)
  return unknown.map(([name, { place }]) => ({ ...source.position(['peers', name, 'place']), severity: 'error', reason: `peers.${name}.place: there is no country ${place}`, hint: 'codes are those of ISO 3166-1, such as KR' }))
}

function checkSecrets(file: NamedPath, label: string | undefined): Fault[] {
  if (label === undefined) return []
  try {
    return parseSecrets(label, readRegularFile(secretsPath(file, label)).toString('utf8')).faults
  } catch (error) {
    return [{ file: label, line: 1, column: 1, severity: 'error', reason: `cannot be read: ${whyUnreadable(error)}` }]
  }
}

function readPopKeys(file: NamedPath, label: string | undefined): { readonly popKeys?: KeyFile; readonly faults: readonly Fault[] } {
  if (label === undefined) return { faults: [] }
  const path = secretsPath(file, label)
  try {
    const text = readRegularFile(path).toString('utf8')
    return { popKeys: { label, path, text }, faults: [...checkKeyMode(label, statSync(path).mode), ...parsePopKeys(label, text).faults] }
  } catch (error) {
    return { faults: [{ file: label, line: 1, column: 1, severity: 'error', reason: `cannot be read: ${whyUnreadable(error)}`, hint: `openssl rand -hex 32 > ${label}; chmod 600 ${label}` }] }
  }
}

const secretsPath = (file: NamedPath, label: string): string => resolve(dirname(file.path), label)

/**
 * Reads a nearcast.yaml and the keys that it names.
 * @throws ConfigError with every fault
 */
export function loadConfigured(file: NamedPath): Configured {
  let text: string
  try {
    text = readRegularFile(file.path).toString('utf8')
  } catch (error) {
    throw new ConfigError([{ file: file.label, line: 1, column: 1, severity: 'error', reason: `cannot be read: ${whyUnreadable(error)}` }])
  }
  const { config, faults } = parseConfig(file.label, text)
  if (config === undefined) throw new ConfigError(faults)
  const found = readConfigKeys(file, text, config)
  if (found.faults.some(isError)) throw new ConfigError(found.faults)
  // The daemon reads these files, and knows no nearcast.yaml beside which they lie.
  const { 'cookie-secrets': secrets } = config.dns
  const dns = secrets === undefined ? config.dns : { ...config.dns, 'cookie-secrets': secretsPath(file, secrets) }
  const checks = { ...config.checks, named: mapValues(config.checks.named, (check) => (check.authority === undefined ? check : { ...check, authority: resolve(dirname(file.path), check.authority) })) }
  const pops = config.pops === undefined ? {} : { pops: { ...config.pops, keys: secretsPath(file, config.pops.keys) } }
  const anycast = config.anycast === undefined ? {} : { anycast: besideConfig(config.anycast, file) }
  return { config: withPagePaths(file, withCertificatePaths(file, { ...config, dns, checks, ...pops, ...anycast })), keys: found.keys, keyFiles: found.keyFiles, popKeys: found.popKeys }
}

function mapValues<T>(map: Readonly<Record<string, T>>, change: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, change(value)]))
}

/** Paths of whoever speaks BGP, which are relative to nearcast.yaml. */
function besideConfig(anycast: NonNullable<Config['anycast']>, file: NamedPath): NonNullable<Config['anycast']> {
  const beside = (path: string): string => resolve(dirname(file.path), path)
  const { bird, exabgp } = anycast
  return { ...anycast, ...(bird !== undefined && { bird: { ...bird, socket: beside(bird.socket), include: beside(bird.include) } }), ...(exabgp !== undefined && { exabgp: { ...exabgp, pipe: beside(exabgp.pipe) } }) }
}
