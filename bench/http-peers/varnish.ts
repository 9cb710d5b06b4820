import { mkdirSync } from 'node:fs'
import { findProgram, needs, versionOf } from '../processes.ts'
import { run, startChain } from './chain.ts'
import type { HttpPeer, Place, Running } from './types.ts'

async function startOne({ folder, port, origin }: Place): Promise<Running> {
  mkdirSync(folder)
  return run(findProgram('varnishd')!, ['-j', 'none', '-F', '-n', folder, '-a', `127.0.0.1:${port}`, '-b', `127.0.0.1:${origin}`, '-s', 'malloc,512m', '-p', 'thread_pools=1', '-p', 'thread_pool_max=2000', '-p', 'thread_pool_min=1100'])
}

export const varnish: HttpPeer = {
  name: 'varnish',
  lacks: ['TLS', 'HTTP/2'],
  missing: needs('varnishd'),
  version: () => versionOf(findProgram('varnishd')!, '-V'),
  start: startOne,
  startTwo: (place) => startChain(startOne, place)
}
