import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, needs, start, versionOf } from '../processes.ts'
import { COUNTRIES } from './places.ts'
import type { Peer } from './types.ts'
import { originOf, whenUp, zoneFile } from './up.ts'
import { addressText, BENCH_ZONE, ROUTED_NAMES, targetAddress } from './zones.ts'

// Knot DNS; names by country through its module geoip, which Debian has as knot-module-geoip.

const version = (): string => versionOf(findProgram('knotd')!, '--version')

const startKnot: Peer['start'] = (options) => {
  const { folder, port, workers, data, files } = options
  const steers = data === 'routed'
  if (steers) writeFileSync(join(folder, 'names.yaml'), geoNames())
  const modules = `mod-geoip:
  - id: places
    config-file: ${join(folder, 'names.yaml')}
    ttl: 20
    mode: geodb
    geodb-file: ${files.places}
    geodb-key: country/iso_code
`
  const config = `server:
  rundir: ${folder}
  listen: 127.0.0.1@${port}
  udp-workers: ${workers}
  tcp-workers: ${workers}
  background-workers: 1
  edns-client-subnet: on
database:
  storage: ${folder}
log:
  - target: stderr
    any: warning
${steers ? modules : ''}zone:
  - domain: ${originOf(data)}
    file: ${zoneFile(options, 'A 192.0.2.9')}
    zonefile-sync: -1
    journal-content: none
${steers ? '    module: mod-geoip/places\n' : ''}`
  writeFileSync(join(folder, 'knot.conf'), config)
  return whenUp(options, start(findProgram('knotd')!, ['-c', join(folder, 'knot.conf')]))
}

/** The names of the module's own file. */
function geoNames(): string {
  const choices = COUNTRIES.map(({ code }, index) => `  - geo: ${code}\n    A: ${addressText(targetAddress(index))}\n`).join('')
  return Array.from({ length: ROUTED_NAMES }, (_, index) => `r${index}.${BENCH_ZONE}:\n${choices}`).join('')
}

export const knot: Peer = {
  name: 'knot',
  serves: ['bench', 'million'],
  transports: ['udp', 'tcp'],
  about: () => `Knot DNS ${version()}`,
  missing: needs('knotd'),
  start: startKnot
}

export const knotGeo: Peer = {
  name: 'knot geoip',
  serves: ['routed'],
  transports: ['udp'],
  about: () => `Knot DNS ${version()} with its module geoip, by country of the database, no health`,
  missing: needs('knotd'),
  start: startKnot
}
