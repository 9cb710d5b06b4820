import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, needs, start, versionOf } from '../processes.ts'
import { COUNTRIES } from './places.ts'
import type { Peer, StartOptions } from './types.ts'
import { originOf, whenUp, zoneFile } from './up.ts'
import { addressText, targetAddress } from './zones.ts'

// gdnsd; names by country through its plugin geoip, and, for what choosing without a place costs, through its plugin weighted.

const version = (): string => versionOf(findProgram('gdnsd')!, '-h')
const places = COUNTRIES.map(({ code }) => code.toLowerCase())

function geoip({ files }: StartOptions): string {
  const continents = new Map<string, string[]>()
  for (const { code, continent } of COUNTRIES) continents.set(continent, [...(continents.get(continent) ?? []), `${code} => [${code.toLowerCase()}]`])
  const map = [...continents].map(([continent, countries]) => `${continent} => { ${countries.join(', ')} }`)
  const targets = COUNTRIES.map(({ code }, index) => `${code.toLowerCase()} => ${addressText(targetAddress(index))}`)
  return `plugins => { geoip => {
  maps => { places => { geoip2_db => ${files.places}, datacenters => [${places.join(', ')}], map => { ${map.join(', ')} } } }
  resources => { www => { map => places, service_types => up, dcmap => { ${targets.join(', ')} } } }
} }
`
}

function weighted(): string {
  const targets = COUNTRIES.map(({ code }, index) => `${code.toLowerCase()} => [${addressText(targetAddress(index))}, 10]`)
  return `plugins => { weighted => { service_types => up, www => { ${targets.join(', ')} } } }\n`
}

const startWith = (plugin?: { name: string; config: (options: StartOptions) => string }): Peer['start'] => (options) => {
  const { folder, port, workers, data } = options
  mkdirSync(join(folder, 'zones'))
  copyFileSync(zoneFile(options, plugin === undefined ? undefined : `DYNA ${plugin.name}!www`), join(folder, 'zones', originOf(data)))
  const config = `options => {
  listen => { 127.0.0.1:${port} => { udp_threads = ${workers}, tcp_threads = ${workers}, tcp_clients_per_thread = 1000 } }
  run_dir = ${folder}
  state_dir = ${folder}
}
${plugin?.config(options) ?? ''}`
  writeFileSync(join(folder, 'config'), config)
  return whenUp(options, start(findProgram('gdnsd')!, ['-c', folder, 'start']))
}

const common = { transports: ['udp', 'tcp'], missing: needs('gdnsd') } as const

export const gdnsd: Peer = { ...common, name: 'gdnsd', serves: ['bench', 'million'], about: () => `gdnsd ${version()}`, start: startWith() }

export const gdnsdGeo: Peer = {
  ...common,
  name: 'gdnsd geoip',
  serves: ['routed'],
  about: () => `gdnsd ${version()} with its plugin geoip, by country of the database, the health of six targets looked at (always up)`,
  start: startWith({ name: 'geoip', config: geoip })
}

export const gdnsdWeighted: Peer = {
  ...common,
  name: 'gdnsd weighted',
  serves: ['routed'],
  check: 'any',
  about: () => `gdnsd ${version()} with its plugin weighted: one of six at random, without looking where the client is`,
  start: startWith({ name: 'weighted', config: weighted })
}
