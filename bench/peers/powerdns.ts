import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, needs, start, versionOf } from '../processes.ts'
import { COUNTRIES } from './places.ts'
import type { Peer, StartOptions } from './types.ts'
import { originOf, whenUp, zoneFile } from './up.ts'
import { addressText, BENCH_ZONE, ROUTED_NAMES, targetAddress } from './zones.ts'

// PowerDNS; plain zones through its backend bind, names by country through its backend geoip.

const version = (): string => versionOf(findProgram('pdns_server')!, '--version')

/** What it takes its answers from: lines of its configuration. */
type Backend = (options: StartOptions) => string

const bindBackend = (options: StartOptions, routed?: string): string => {
  const zone = join(options.folder, 'named.conf')
  writeFileSync(zone, `zone "${originOf(options.data)}" { type master; file "${zoneFile(options, routed)}"; };\n`)
  return `bind-config=${zone}\n`
}

const geoBackend = ({ folder, files }: StartOptions, zones: string): string => {
  const names = join(folder, 'names.yaml')
  writeFileSync(names, zones)
  return `geoip-database-files=mmdb:${files.places}\ngeoip-zones-file=${names}\nedns-subnet-processing=yes\n`
}

/** Which of six countries the client is in is asked in the record itself. */
const luaRecord = (): string => `LUA A ";for code,address in pairs({${COUNTRIES.map(({ code }, index) => `${code}='${addressText(targetAddress(index))}'`).join(',')}}) do if country(code) then return address end end"`

const startPowerdns = (backendOf: Backend): Peer['start'] => (options) => {
  const { folder, port, workers } = options
  const backend = backendOf(options)
  const config = `${backend}local-address=127.0.0.1
local-port=${port}
socket-dir=${folder}
daemon=no
guardian=no
loglevel=3
receiver-threads=${workers}
reuseport=${workers > 1 ? 'yes' : 'no'}
distributor-threads=1
max-tcp-connections=1000
`
  writeFileSync(join(folder, 'pdns.conf'), config)
  return whenUp(options, start(findProgram('pdns_server')!, [`--config-dir=${folder}`]))
}

/** Each routed name is answered by the record of the country that the client is in. */
function geoNames(): string {
  const record = (name: string, ...records: string[]): string => `    ${name}:\n${records.map((each) => `      - ${each}\n`).join('')}`
  const records = [
    record(BENCH_ZONE, `soa: ns1.${BENCH_ZONE} hostmaster.${BENCH_ZONE} 1 3600 600 604800 60`, `ns: ns1.${BENCH_ZONE}`),
    record(`ns1.${BENCH_ZONE}`, 'a: 127.0.0.1'),
    record(`www.${BENCH_ZONE}`, 'a: 192.0.2.1'),
    ...COUNTRIES.map(({ code }, index) => record(`${code.toLowerCase()}.${BENCH_ZONE}`, `a: ${addressText(targetAddress(index))}`))
  ]
  const services = Array.from({ length: ROUTED_NAMES }, (_, index) => `    r${index}.${BENCH_ZONE}: '%cc.${BENCH_ZONE}'\n`)
  return `domains:\n- domain: ${BENCH_ZONE}\n  ttl: 20\n  records:\n${records.join('')}  services:\n${services.join('')}`
}

export const powerdns: Peer = {
  name: 'powerdns',
  serves: ['bench', 'million'],
  transports: ['udp', 'tcp'],
  about: () => `PowerDNS ${version()} with its backend bind and its packet cache`,
  missing: needs('pdns_server'),
  start: startPowerdns((options) => `launch=bind\n${bindBackend(options)}`)
}

export const powerdnsGeo: Peer = {
  name: 'powerdns geoip',
  serves: ['routed'],
  transports: ['udp'],
  about: () => `PowerDNS ${version()} with its backend geoip, by country of the database, no health`,
  missing: needs('pdns_server'),
  start: startPowerdns((options) => `launch=geoip\n${geoBackend(options, geoNames())}`)
}

export const powerdnsLua: Peer = {
  name: 'powerdns LUA',
  serves: ['routed'],
  transports: ['udp'],
  about: () => `PowerDNS ${version()} with LUA records that ask for the country of the client, by the database of its backend geoip, in one shared interpreter; no health`,
  missing: needs('pdns_server'),
  start: startPowerdns((options) => `launch=bind,geoip\nenable-lua-records=shared\n${bindBackend(options, luaRecord())}${geoBackend(options, 'domains: []\n')}`)
}
