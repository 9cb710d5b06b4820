import { z } from 'zod'
import { address, duration, label, perSecond, prefix, size } from './config-values.ts'

const rateLimit = z
  .strictObject({
    mode: z.enum(['on', 'log-only', 'off']).default('on').meta({ description: '`log-only` counts and logs what it would withhold, and answers all' }),
    responses: perSecond('answers per second to one client network with the same name and type (or under the same wildcard)', 200),
    nodata: perSecond('answers per second to one network that the same name has not the type', 200),
    nxdomain: perSecond('answers per second to one network that names of the same zone do not exist', 200),
    referrals: perSecond('answers per second to one network that refer to the same delegation', 200),
    errors: perSecond('answers per second to one network that are errors, such as REFUSED and FORMERR', 200),
    any: perSecond('answers per second to one network to queries for ANY, of all names together', 50),
    large: perSecond('answers per second to one network of `large-size` and more, of all names together; past that they are truncated', 100),
    'large-total': perSecond('answers per second to everybody together of `large-size` and more; past that they are truncated', 10_000),
    'large-size': size('answers of this size and more are large', '1KiB'),
    all: perSecond('answers per second to one network of every kind and name together', 0),
    slip: z.int().min(0).max(10).default(2).meta({ description: 'of so many answers withheld one is sent truncated, so that a client in earnest asks again over TCP; 1: each; 0: none' }),
    window: duration('how long a network may be made to wait after a flood in its name has ended', '15s'),
    'ipv4-prefix': z.int().min(8).max(32).default(24).meta({ description: 'bits of an IPv4 address that make a client network' }),
    'ipv6-prefix': z.int().min(16).max(64).default(56).meta({ description: 'bits of an IPv6 address that make a client network' }),
    table: size('memory for the counts, 8 octets each, shared by all threads', '1MiB')
  })
  .prefault({})
  .meta({ description: 'response rate limiting over UDP: answers to one network are withheld past a rate, so that queries in its name do it no harm' })

const text = z.string({ error: 'expected a text' }).min(1).refine((value) => Buffer.byteLength(value) <= 128, { message: 'expected a text of at most 128 octets' })

export const dns = z
  .strictObject({
    listen: z.array(address).min(1).default(['127.0.0.1', '::1']).meta({ description: 'addresses that answer DNS over UDP and TCP', unit: 'list of addresses' }),
    port: z.union([z.literal('auto'), z.int().min(1).max(65535)]).default('auto').meta({ description: '`auto` takes 53 where that is allowed and free on every address, else 5300' }),
    threads: z.union([z.literal('auto'), z.int().min(1).max(64)]).default('auto').meta({ description: 'UDP worker threads; `auto` is one per core, four at most' }),
    'tcp-clients': z.int().min(1).max(100_000).default(500).meta({ description: 'TCP connections held at once; past that the longest idle one of whoever holds most gives way' }),
    'tcp-clients-per-address': z.int().min(1).max(100_000).default(50).meta({ description: 'TCP connections held at once from one address (an IPv6 /64); past that its own longest idle one gives way' }),
    'tcp-clients-per-network': z.int().min(1).max(100_000).default(200).meta({ description: 'TCP connections held at once from one client network, whose size `dns.rate-limit` sets; past that its own longest idle one gives way' }),
    'tcp-idle': duration('a TCP connection without a query for this long is closed', '10s'),
    'tcp-transfer': duration('a query that has begun over TCP must be complete, and what waits to be sent be taken (16 KiB of it at least), within this long', '5s'),
    'tcp-lifetime': duration('a TCP connection is closed after this long, once it has its answers', '10m'),
    gather: z.boolean().default(true).meta({ description: 'from some 30,000 queries a second per thread on, wait a twentieth of a millisecond before each look at the socket, so that queries gather and each costs less CPU; `false`: every query is taken at once' }),
    exempt: z.array(prefix).max(100).default(['127.0.0.0/8', '::1']).meta({ description: 'clients that neither `dns.rate-limit` nor the limits of TCP connections per address and network hold for', unit: 'list of addresses and prefixes' }),
    any: z.enum(['full-over-tcp', 'minimal']).default('full-over-tcp').meta({ description: 'what a query for ANY is told: over UDP always little (RFC 8482), over TCP all there is, or as little' }),
    payload: z.int().min(512).max(1400).default(1232).meta({ description: 'octets of the largest answer over UDP; longer ones are cut, and asked for again over TCP' }),
    cookies: z.enum(['off', 'on', 'enforced']).default('on').meta({ description: 'DNS cookies (RFC 7873, 9018): `enforced` answers a client that has cookies over UDP only once it has shown one of ours' }),
    'cookie-secrets': z.string().min(1).optional().meta({ description: 'file of the secrets that cookies are made with, relative to nearcast.yaml, 32 hexadecimal digits a line: the first makes them, the others are accepted; taken anew when it changes; absent: one made up at each start', unit: 'path' }),
    identity: text.default('hostname').meta({ description: 'told to whoever asks for NSID, `id.server` or `hostname.bind`: `hostname`, `off`, or any text' }),
    version: text.default('off').meta({ description: 'told to whoever asks for `version.bind`: `off`, or any text' }),
    views: z.record(label, z.array(prefix).min(1).max(1000)).default({}).meta({ description: 'networks by the name of a view: queries from there are answered from the zones in `views/NAME` of the zones folder where these have the name, and else from those for all', unit: 'map of lists of prefixes' }),
    'rate-limit': rateLimit
  })
  .prefault({})
  .meta({ description: 'the DNS listeners' })
