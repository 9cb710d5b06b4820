import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, needs, versionOf } from '../processes.ts'
import { run, startChain } from './chain.ts'
import { TLS_PORTS, type HttpPeer, type Place, type Running } from './types.ts'

const FOLDERS = ['etc', 'cache', 'log', 'run']

async function startOne({ folder, port, origin, tls }: Place): Promise<Running> {
  mkdirSync(folder)
  for (const each of FOLDERS) mkdirSync(join(folder, each))
  const write = (name: string, text: string): void => writeFileSync(join(folder, 'etc', name), text)
  write('records.config', records(port))
  write('remap.config', `map / http://127.0.0.1:${origin}/\n`)
  write('storage.config', `${folder}/cache 512M\n`)
  write('ssl_multicert.config', `dest_ip=* ssl_cert_name=${tls.certificate} ssl_key_name=${tls.key}\n`)
  write('ip_allow.yaml', 'ip_allow:\n  - apply: in\n    ip_addrs: 127.0.0.1\n    action: allow\n    methods: ALL\n')
  const root = join(folder, 'root.yaml')
  writeFileSync(
    root,
    `prefix: ${folder}\nexec_prefix: /usr\nbindir: /usr/bin\nsbindir: /usr/bin\nsysconfdir: ${folder}/etc\ndatadir: ${folder}/cache\nincludedir: /usr/include\nlibdir: /usr/lib
libexecdir: /usr/lib/trafficserver/modules\nlocalstatedir: ${folder}/run\nruntimedir: ${folder}/run\nlogdir: ${folder}/log\ncachedir: ${folder}/cache\n`
  )
  for (const each of FOLDERS) chmodSync(join(folder, each), 0o755)
  return run(findProgram('traffic_server')!, [`--run-root=${root}`])
}

// One network thread; those who ask for what is being fetched are let read along, as its manual says for collapsed forwarding.
const records = (port: number): string => `CONFIG proxy.config.admin.user_id STRING #-1
CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT 1
CONFIG proxy.config.accept_threads INT 0
CONFIG proxy.config.task_threads INT 1
CONFIG proxy.config.exec_thread.affinity INT 0
CONFIG proxy.config.http.server_ports STRING ${port}:ip-in=127.0.0.1 ${port + TLS_PORTS}:ssl:ip-in=127.0.0.1
CONFIG proxy.config.http.cache.required_headers INT 0
CONFIG proxy.config.cache.ram_cache.size INT 536870912
CONFIG proxy.config.cache.ram_cache_cutoff INT 16777216
CONFIG proxy.config.cache.min_average_object_size INT 2000
CONFIG proxy.config.log.logging_enabled INT 0
CONFIG proxy.config.url_remap.pristine_host_hdr INT 1
CONFIG proxy.config.cache.enable_read_while_writer INT 1
CONFIG proxy.config.cache.read_while_writer.max_retries INT 10
CONFIG proxy.config.cache.read_while_writer_retry.delay INT 50
CONFIG proxy.config.http.cache.open_read_retry_time INT 10
CONFIG proxy.config.http.cache.max_open_read_retries INT 100
CONFIG proxy.config.http.background_fill_active_timeout INT 0
CONFIG proxy.config.http.background_fill_completed_threshold FLOAT 0.0
`

export const trafficServer: HttpPeer = {
  name: 'traffic server',
  missing: needs('traffic_server'),
  version: () => versionOf(findProgram('traffic_server')!, '--version'),
  start: startOne,
  startTwo: (place) => startChain(startOne, place)
}
