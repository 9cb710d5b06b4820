import type { BalanceName } from '../../core/config-origins.ts'
import { failover } from './balance/failover.ts'
import { ipHash } from './balance/ip-hash.ts'
import { leastConnections } from './balance/least-connections.ts'
import { responseTime } from './balance/response-time.ts'
import { roundRobin } from './balance/round-robin.ts'
import type { Balance } from './balance/types.ts'
import { urlHash } from './balance/url-hash.ts'
import { weighted } from './balance/weighted.ts'

/** How requests are shared out among the origins of a group, by name. One row each. */
export const balances: Readonly<Record<BalanceName, Balance>> = {
  failover,
  'round-robin': roundRobin,
  weighted,
  'least-connections': leastConnections,
  'ip-hash': ipHash,
  'url-hash': urlHash,
  'response-time': responseTime
}
