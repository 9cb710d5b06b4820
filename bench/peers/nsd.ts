import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, needs, start, versionOf } from '../processes.ts'
import type { Peer } from './types.ts'
import { originOf, whenUp, zoneFile } from './up.ts'

export const nsd: Peer = {
  name: 'nsd',
  serves: ['bench', 'million'],
  transports: ['udp', 'tcp'],
  about: () => `NSD ${versionOf(findProgram('nsd')!, '-v')}`,
  missing: needs('nsd'),
  start: (options) => {
    const { folder, port, workers, data } = options
    const config = `server:
  server-count: ${workers}
  reuseport: ${workers > 1 ? 'yes' : 'no'}
  ip-address: 127.0.0.1@${port}
  tcp-count: 1000
  username: ""
  chroot: ""
  zonesdir: "${folder}"
  xfrdir: "${folder}"
  database: ""
  zonelistfile: "${folder}/zone.list"
  pidfile: "${folder}/nsd.pid"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: "${originOf(data)}"
  zonefile: "${zoneFile(options)}"
`
    writeFileSync(join(folder, 'nsd.conf'), config)
    return whenUp(options, start(findProgram('nsd')!, ['-d', '-c', join(folder, 'nsd.conf')]))
  }
}
