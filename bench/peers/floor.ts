import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProgram, needs, start } from '../processes.ts'
import type { Peer } from './types.ts'
import { whenUp } from './up.ts'

const compilers = ['cc', 'gcc', 'clang'] as const

export const floor: Peer = {
  name: 'C floor',
  serves: ['bench', 'routed', 'million'],
  transports: ['udp'],
  check: 'none',
  about: () => 'bench/floor.c: recvmmsg and sendmmsg in batches, reads nothing and answers every query with the same record',
  missing: needs(...compilers),
  start: async (options) => {
    const program = join(options.folder, 'floor')
    // Compiled JavaScript lies in build/bench/peers, the C in bench.
    const source = fileURLToPath(new URL('../../../bench/floor.c', import.meta.url))
    const compiled = spawnSync(findProgram(...compilers)!, ['-O2', '-o', program, source], { encoding: 'utf8' })
    if (compiled.status !== 0) throw new Error(`does not compile: ${compiled.stderr}`)
    return whenUp(options, start(program, [String(options.port), String(options.workers)]))
  }
}
