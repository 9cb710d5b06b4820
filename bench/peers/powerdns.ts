import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, needs, start, versionOf } from '../processes.ts'
import { COUNTRIES } from './places.ts'
import type { Peer } from './types.ts'
import { originOf, whenUp, zoneFile } from './up.ts'
import { addressText, BENCH_ZONE, ROUTED_NAMES, targetAddress } from './zones.ts'

// PowerDNS; plain zones through its backend bind, names by country through its backend geoip.

const version = (): string => versionOf(findProgram('pdns_server')!, '--version')

const startPowerdns: Peer['start'] = (options) => {
  const { folder, port, workers, data, files } = options
  const zone = join(folder, 'named.conf')
  const names = join(folder, 'names.yaml')
  if (data === 'routed') writeFileSync(names, geoNames())
  else writeFileSync(zone, `zone "${originOf(data)}" { type master; file "${zoneFile(options)}"; };\n`)
  const backend = data === 'routed' ? `launch=geoip\ngeoip-database-files=mmdb:${files.places}\ngeoip-zones-file=${names}\nedns-subnet-processing=yes\n` : `launch=bind\nbind-config=${zone}\n`
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
  start: startPowerdns
}

export const powerdnsGeo: Peer = {
  name: 'powerdns geoip',
  serves: ['routed'],
  transports: ['udp'],
  about: () => `PowerDNS ${version()} with its backend geoip, by country of the database, no health`,
  missing: needs('pdns_server'),
  start: startPowerdns
}
