import { parsePrefix } from '../../core/address.ts'
import type { Config } from '../../core/config.ts'
import type { RateLimits } from './rate-limiter.ts'

/** The limits as the operator has set them; undefined when there are to be none. */
export function rateLimitsOf({ exempt, 'rate-limit': set }: Config['dns']): RateLimits | undefined {
  if (set.mode === 'off') return undefined
  const { responses, nodata, nxdomain, referrals, errors, any, large, all, slip } = set
  return {
    logOnly: set.mode === 'log-only', responses, nodata, nxdomain, referrals, errors, any, large, all, slip, largeTotal: set['large-total'], largeSize: set['large-size'],
    windowMs: set.window, ipv4Prefix: set['ipv4-prefix'], ipv6Prefix: set['ipv6-prefix'], exempt: exempt.map((text) => parsePrefix(text)!)
  }
}

/** What daemon/serve holds TCP connections to. */
export function tcpLimitsOf(dns: Config['dns']) {
  return {
    clients: dns['tcp-clients'], clientsPerAddress: dns['tcp-clients-per-address'], clientsPerNetwork: dns['tcp-clients-per-network'],
    ipv4Prefix: dns['rate-limit']['ipv4-prefix'], ipv6Prefix: dns['rate-limit']['ipv6-prefix'], exempt: dns.exempt.map((text) => parsePrefix(text)!),
    idleMs: dns['tcp-idle'], transferMs: dns['tcp-transfer'], lifetimeMs: dns['tcp-lifetime']
  }
}
