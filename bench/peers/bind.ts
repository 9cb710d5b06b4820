import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, needs, start, versionOf } from '../processes.ts'
import type { Peer } from './types.ts'
import { originOf, whenUp, zoneFile } from './up.ts'

export const bind: Peer = {
  name: 'bind',
  serves: ['bench', 'million'],
  transports: ['udp', 'tcp'],
  about: () => `BIND ${versionOf(findProgram('named')!, '-v')}`,
  missing: needs('named'),
  start: (options) => {
    const { folder, port, workers, data } = options
    const config = `options {
  directory "${folder}";
  pid-file "${folder}/named.pid";
  session-keyfile "${folder}/session.key";
  managed-keys-directory "${folder}";
  listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; };
  recursion no;
  notify no;
  dnssec-validation no;
  empty-zones-enable no;
  tcp-clients 1000;
};
controls { };
logging { category default { default_stderr; }; channel default_stderr { stderr; severity warning; }; };
zone "${originOf(data)}" { type primary; file "${zoneFile(options)}"; };
`
    writeFileSync(join(folder, 'named.conf'), config)
    return whenUp(options, start(findProgram('named')!, ['-f', '-n', String(workers), '-U', String(workers), '-c', join(folder, 'named.conf')]))
  }
}
