import t from 'tap'
import { parseConfig } from '../../core/config-file.ts'
import { formatFault } from '../../core/trouble.ts'

const faultsOf = (text: string): string[] => parseConfig('nearcast.yaml', text).faults.map(formatFault)

t.test('an empty file is every default', async (t) => {
  const { config, faults } = parseConfig('nearcast.yaml', '')
  t.same(faults, [])
  t.equal(config?.dns.port, 'auto')
  t.equal(config?.checks.default.timeout, 2000, 'durations come out in milliseconds')
  t.equal(config?.cache.memory, 64 * 1024 * 1024, 'sizes come out in octets')
})

t.test('every fault has its place, its reason and what was probably meant', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['dsn: {}', 'nearcast.yaml:1:1: unknown key dsn (did you mean dns?)'],
    ['edges:\n  icn: { adress: 1.2.3.4, city: X, at: [1, 2] }', 'nearcast.yaml:2:8: edges.icn.address: is missing\nnearcast.yaml:2:10: unknown key edges.icn.adress (did you mean address?)'],
    ['edges:\n  icn: { address: 1.2.3.400, city: X, at: [1, 2] }', 'nearcast.yaml:2:19: edges.icn.address: expected an IPv4 or IPv6 address'],
    ['edges:\n  icn: { address: 1.2.3.4, city: X, at: [91, 2] }', 'nearcast.yaml:2:42: edges.icn.at.0: must be at most 90, found 91'],
    ['edges:\n  icn: { address: 1.2.3.4, city: X, at: [1, 2], parent: apax }\nregionals:\n  apac: { address: 1.2.3.5 }', 'nearcast.yaml:2:57: edges.icn.parent: there is no regional or shield apax (did you mean apac?)'],
    ['regionals:\n  a: { address: 1.2.3.5 }\n  b: { address: 1.2.3.5 }', 'nearcast.yaml:3:17: regionals.b.address: 1.2.3.5 is already the address of a'],
    ['shields:\n  a: { address: 1.2.3.5 }\nregionals:\n  a: { address: 1.2.3.6 }', 'nearcast.yaml:2:6: shields.a: a is already the name of one of the regionals'],
    ['checks: { default: { timeout: 2 } }', 'nearcast.yaml:1:31: checks.default.timeout: expected a duration such as 250ms, 2s, 1m or 1h'],
    ['checks: { default: { timeout: 2sec } }', 'nearcast.yaml:1:31: checks.default.timeout: expected a duration such as 250ms, 2s, 1m or 1h'],
    ['checks: { default: { every: 30s } }', 'nearcast.yaml:1:29: checks.default.every: expected a cron expression of six fields, seconds first, such as */30 * * * * *'],
    ['cache: { disk: 32MiB }\nedges:\n  icn: { address: 1.2.3.4, city: X, at: [1, 2], workers: 4 }', 'nearcast.yaml:3:58: edges.icn.workers: each of 4 workers has less than 16MiB of cache.disk (cache.disk: 64MiB, or fewer workers)'],
    ['dns: { port: 0 }', 'nearcast.yaml:1:14: dns.port: must be at least 1, found 0'],
    ['dns: { port: http }', 'nearcast.yaml:1:14: dns.port: expected auto, found the text "http"'],
    ['origins: { demo: { urll: x } }', 'nearcast.yaml:1:20: unknown key origins.demo.urll (did you mean url?)'],
    ['distributions:\n  d1:\n    behaviours: [{ path: "/*", origin: demo }]', 'nearcast.yaml:3:40: distributions.d1.behaviours.0.origin: there is no origin demo'],
    [
      'edges:\n  icn: { address: 1.2.3.4, city: X, at: [1, 2], parent: apax }\n  nrt: { address: 1.2.3.4, city: X, at: [1, 2], parent: apac }\nregionals:\n  apac: { adress: 1.2.3.5 }',
      [
        'nearcast.yaml:2:57: edges.icn.parent: there is no regional or shield apax (did you mean apac?)',
        'nearcast.yaml:3:19: edges.nrt.address: 1.2.3.4 is already the address of icn',
        'nearcast.yaml:5:9: regionals.apac.address: is missing',
        'nearcast.yaml:5:11: unknown key regionals.apac.adress (did you mean address?)'
      ].join('\n')
    ],
    ['distributions: { d1: { error-pages: { 502: { flie: x } }, behaviours: [{ path: "/*", origin: a }] } }\norigins: { a: { url: "http://127.0.0.1" } }', 'nearcast.yaml:1:46: unknown key distributions.d1.error-pages.502.flie (did you mean file?)'],
    ['distributions: { d1: { error-pages: { 502: { file: x, staus: 503 } }, behaviours: [{ path: "/*", origin: a }] } }\norigins: { a: { url: "http://127.0.0.1" } }', 'nearcast.yaml:1:55: unknown key distributions.d1.error-pages.502.staus (did you mean status?)'],
    ['cache: { eviction: s3fifo }', 'nearcast.yaml:1:20: cache.eviction: expected lru or lfu or hot-lru+warm-lfu or sieve or s3-fifo or gdsf, found the text "s3fifo" (did you mean s3-fifo?)'],
    ['https: { http2: no }', 'nearcast.yaml:1:17: https.http2: expected true or false, found the text "no"'],
    ['http: { upgrade: [h2c] }', 'nearcast.yaml:1:19: http.upgrade.0: HTTP itself goes on by this: requests in it would pass unseen'],
    ['origins: { shop: { url: "192.0.2.1:80" } }', 'nearcast.yaml:1:25: origins.shop.url: expected a URL such as http://192.0.2.10:8080'],
    ['edges:\n  icn: { address: 1.2.3.4, city: X, at: [1, 2], parent: [] }', 'nearcast.yaml:2:57: edges.icn.parent: needs 1 or more, found an empty list'],
    ['cache-policies: { shop: { query: { onyl: [a] } } }', 'nearcast.yaml:1:34: cache-policies.shop.query: expected all, none, only: [NAME, …] or except: [NAME, …]'],
    ['cache-policies: { shop: { query: { only: a } } }', 'nearcast.yaml:1:42: cache-policies.shop.query.only: expected a list, found the text "a"'],
    ['cache-policies: { shop: { query: noen } }', 'nearcast.yaml:1:34: cache-policies.shop.query: expected all or none, found the text "noen" (did you mean none?)'],
    ['dns: { views: { office: [10.0.0.0/8], home: [192.0.2.0/24, 10.0.0.0/8] } }', 'nearcast.yaml:1:60: dns.views.home.1: 10.0.0.0/8 is already in view office'],
    ['dns: { views: { office: [10.0.0.1/8] } }', 'nearcast.yaml:1:26: dns.views.office.0: expected an address or a prefix without host bits, such as 192.0.2.0/24'],
    ['anycast: { asn: 5, exabgp: { pipe: /x }, prefixes: { d: { prefix: 192.0.2.0/24 } }, min-pops: 0 }', 'nearcast.yaml:1:57: anycast.prefixes.d.addresses: is missing'],
    ['origins: { demo: { demo: 127.0.0.2 } }\ndistributions:\n  d1:\n    behaviours: [{ path: "/*", origin: demo, compress: { min-size: 2MiB, max-size: 1MiB } }]', 'nearcast.yaml:4:68: distributions.d1.behaviours.0.compress.min-size: it is larger than max-size'],
    ['domain: a\ndomain: b', 'nearcast.yaml:2:1: domain stands here twice'],
    ['edges: { "icn": 1, "icn": 2 }', 'nearcast.yaml:1:20: "icn" stands here twice'],
    ['cache: { disk: 1.5MiB }', 'nearcast.yaml:1:16: cache.disk: expected 0B or at least 16MiB, found 1536KiB'],
    ['regionals:\n  apac: { address: 1.2.3.5, workers: 2 }', 'nearcast.yaml:2:29: unknown key regionals.apac.workers (only edges have workers; several regionals share the keys among them)'],
    ['zones: { example.org: { transfer: [k] } }', 'nearcast.yaml:1:25: unknown key zones.example.org.transfer (did you mean allow-transfer?)']
  ]
  for (const [text, expected] of cases) t.equal(faultsOf(text).join('\n'), expected)
})

t.test('YAML that does not parse is a fault with its place', async (t) => {
  const [fault] = faultsOf('edges:\n  icn: { address: 1.2.3.4\n  fra: ]')
  t.match(fault, /^nearcast\.yaml:\d+:\d+: ./)
})
