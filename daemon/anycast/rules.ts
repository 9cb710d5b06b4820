import type { Anycast } from '../../core/config-anycast.ts'
import type { Config } from '../../core/config.ts'
import type { Rules } from './types.ts'

type Settings = Pick<Config, 'pops'> & { readonly anycast: Anycast }

/** The rules of a configuration; without `pops:` this PoP is the only one. */
export function rulesOf({ anycast, pops }: Settings): Rules {
  const total = Object.keys(pops?.others ?? {}).length + 1
  const wanted = pops?.quorum ?? 'half'
  return {
    pop: pops?.name ?? 'here',
    total,
    quorum: typeof wanted === 'number' ? wanted : wanted === 'half' ? Math.ceil(total / 2) : Math.floor(total / 2) + 1,
    minPops: anycast['min-pops'],
    maxWithdrawn: anycast['max-withdrawn'] ?? Math.max(1, Math.floor(total / 2)),
    demoteMs: anycast['demote-for'],
    holdMs: anycast.hold,
    longestHoldMs: anycast['longest-hold'],
    decayMs: anycast['flap-decay'],
    drainMs: anycast['drain-for'],
    settleMs: anycast.settle
  }
}
