import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProgram, needs, start } from '../processes.ts'
import type { Peer, Running, StartOptions } from './types.ts'
import { whenUp } from './up.ts'

const compilers = ['cc', 'gcc', 'clang'] as const

/** What the other way of receiving is worth by itself: as long as ours naps at 100,000 queries a second. */
const NAP_NS = 20_000

export const floor: Peer = {
  name: 'C floor',
  serves: ['bench', 'routed', 'million'],
  transports: ['udp'],
  check: 'none',
  about: () => 'bench/floor.c: recvmmsg and sendmmsg in batches, reads nothing and answers every query with the same record',
  missing: needs(...compilers),
  start: (options) => startFloor(options, [])
}

export const floorNapping: Peer = {
  ...floor,
  name: 'C floor, napping',
  serves: ['bench', 'routed'],
  about: () => 'the same, with a nap before each receive, so that queries gather as they do in ours',
  start: (options) => startFloor(options, [String(NAP_NS)])
}

function startFloor(options: StartOptions, more: readonly string[]): Promise<Running> {
  const program = join(options.folder, 'floor')
  // Compiled JavaScript lies in build/bench/peers, the C in bench.
  const source = fileURLToPath(new URL('../../../bench/floor.c', import.meta.url))
  const compiled = spawnSync(findProgram(...compilers)!, ['-O2', '-o', program, source], { encoding: 'utf8' })
  if (compiled.status !== 0) throw new Error(`does not compile: ${compiled.stderr}`)
  return whenUp(options, start(program, [String(options.port), String(options.workers), ...more]))
}
