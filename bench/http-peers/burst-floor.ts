import { mkdirSync } from 'node:fs'
import { compile, noCompiler } from '../compile.ts'
import { run } from './chain.ts'
import type { HttpPeer, Place, Running } from './types.ts'

/** No cache: what a burst takes of this machine. It takes part in bursts alone. */
async function startOne({ folder, port, origin }: Place): Promise<Running> {
  mkdirSync(folder)
  return run(compile('burst-floor', folder), [String(port), String(origin)])
}

export const burstFloor: HttpPeer = { name: 'C floor', lacks: ['TLS', 'HTTP/2'], missing: noCompiler, version: () => '', start: startOne, startTwo: startOne }
