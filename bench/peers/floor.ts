import { compile, noCompiler } from '../compile.ts'
import { start } from '../processes.ts'
import type { Peer, Running, StartOptions } from './types.ts'
import { whenUp } from './up.ts'

/** What the other way of receiving is worth by itself: as long as ours naps at 100,000 queries a second. */
const NAP_NS = 20_000

export const floor: Peer = {
  name: 'C floor',
  serves: ['bench', 'routed', 'million'],
  transports: ['udp'],
  check: 'none',
  about: () => 'bench/floor.c: recvmmsg and sendmmsg in batches, reads nothing and answers every query with the same record',
  missing: noCompiler,
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
  return whenUp(options, start(compile('floor', options.folder), [String(options.port), String(options.workers), ...more]))
}
