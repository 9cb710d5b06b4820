// How often whom is answered over UDP: response rate limiting, so that a server that anybody may ask in anybody's name sends
// no more to one network than a network can have any use for.
//
//   reply octets -> class (answer, nodata, NXDOMAIN, referral, error; ANY, large) -> bucket (prefix, class, name) -> pass | slip | drop
//
// Buckets stand in shared memory: the threads of a server see parts of one flood, and count together.
// Must never know a socket, a zone or the clock: the time is handed to it.
export { makeBuckets, type Buckets } from './buckets.ts'
export { makeRateLimiter, VERDICT, type Limited, type RateLimiter, type RateLimits } from './rate-limiter.ts'
export { isExempt, makeExempt, type Exempt } from './exempt.ts'
export { rateLimitsOf, tcpLimitsOf } from './settings.ts'
