import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, needs, versionOf } from '../processes.ts'
import { run, startChain } from './chain.ts'
import { TLS_PORTS, type HttpPeer, type Place, type Running } from './types.ts'

async function startOne({ folder, port, origin, tls, workers = 1 }: Place): Promise<Running> {
  mkdirSync(folder)
  const file = join(folder, 'nginx.conf')
  // Workers of a master would become nobody, who may not write here.
  const user = workers > 1 && process.getuid?.() === 0 ? 'user root; ' : ''
  writeFileSync(
    file,
    `worker_processes ${workers}; ${user}master_process ${workers === 1 ? 'off' : 'on'}; daemon off; pid ${folder}/pid; error_log stderr crit;
worker_rlimit_nofile 20000;
events { worker_connections 8192; }
http {
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000000; open_file_cache max=1000;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  proxy_cache_path ${folder}/cache levels=1:2 keys_zone=k:256m max_size=1g use_temp_path=off;
  ssl_certificate ${tls.certificate}; ssl_certificate_key ${tls.key}; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:1m;
  upstream above { server 127.0.0.1:${origin}; keepalive 64; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${port} backlog=1024${workers === 1 ? '' : ' reuseport'};
    listen 127.0.0.1:${port + TLS_PORTS} ssl http2 backlog=1024;
    location / { proxy_pass http://above; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_cache k; proxy_cache_lock on; add_header X-Cache $upstream_cache_status; }
  }
}
`
  )
  return run(findProgram('nginx')!, ['-p', folder, '-c', file, '-e', 'stderr'])
}

export const nginx: HttpPeer = {
  name: 'nginx',
  missing: needs('nginx'),
  version: () => versionOf(findProgram('nginx')!, '-v'),
  start: startOne,
  startTwo: (place) => startChain(startOne, place)
}
