import { validate } from 'node-cron'
import { z } from 'zod'
import { duration, hostname, label } from './config-values.ts'
import { patternFault } from './pattern.ts'

// The keys of nearcast.yaml under `checks`: named checks, and what holds for all of them.

/** What each kind of check asks, and the keys that may stand beside it and beside what all of them have. */
export const CHECK_KINDS = {
  http: ['port', 'host', 'method', 'headers', 'status', 'text', 'pattern'],
  https: ['port', 'host', 'method', 'headers', 'status', 'text', 'pattern', 'server-name', 'verify', 'authority', 'days'],
  tcp: ['send', 'text', 'pattern'],
  tls: ['send', 'text', 'pattern', 'server-name', 'verify', 'authority', 'days'],
  dns: ['port', 'transport'],
  grpc: ['port', 'host', 'headers', 'secure', 'server-name', 'verify', 'authority', 'days'],
  exec: ['text', 'pattern'],
  metrics: ['port', 'host', 'headers', 'secure', 'server-name', 'verify', 'authority', 'load', 'capacity', 'most'],
  of: ['at-least']
} as const

export type CheckKind = keyof typeof CHECK_KINDS

const PATH = 'expected a path that begins with /'
const path = (description: string) => z.string().regex(/^\/[\x21-\x7e]*$/, { message: PATH }).optional().meta({ description })
const port = (description: string) => z.int().min(1).max(65535).optional().meta({ description })
const NAME = 'expected a domain name such as www.example.com'
const domainName = z.string().regex(/^(?=.{1,254}$)(\.|[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?)$/, { message: NAME })

const STATUS = 'expected a status such as 200 or a range such as 200-399'
const status = z.union(
  [
    z.int().min(100).max(599),
    z.string().regex(/^[1-5]\d\d(-[1-5]\d\d)?$/).refine((range) => Number(range.slice(0, 3)) <= Number(range.slice(-3)))
  ],
  { error: STATUS }
)

const headers = z
  .record(
    z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { message: 'expected the name of a header' }),
    z.string({ error: 'expected the text of a header' }).regex(/^[\t\x20-\x7e]*$/, { message: 'expected printable ASCII' })
  )
  .optional()
  .meta({ description: 'headers that are sent along', unit: 'map of texts' })

const question = z.strictObject({
  name: domainName.meta({ description: 'name that is asked for' }),
    type: z.string().regex(/^[A-Z][A-Z0-9]*$/, { message: 'expected a record type such as A' }).default('A').meta({ description: 'type that is asked for' }),
    rcode: z.string().regex(/^[A-Z]+$/, { message: 'expected a response code such as NOERROR' }).default('NOERROR').meta({ description: 'response code that passes' }),
    answer: z.string().min(1).optional().meta({ description: 'data of one record of the answer, such as 192.0.2.1; absent: any' })
})

const everyCron = z
  .string()
  .refine(validate, { message: 'expected a cron expression of six fields, seconds first, such as */30 * * * * *' })
  .default('*/30 * * * * *')
  .meta({ description: 'when full checks are due, as a node-cron expression with seconds; spread over the interval', unit: 'cron expression' })

const NOT_A_CHECK = 'expected a check such as { https: /healthz }; what is none is suspect-ttl, least-ttl, hold-down, ramp'

const checkKeys = z.strictObject(
  {
    http: path('HTTP: the path that is asked'),
    https: path('HTTPS: the path that is asked; the certificate is checked too'),
    tcp: port('TCP: the port that must accept a connection'),
    tls: port('TLS: the port that must complete a handshake with a good certificate'),
    dns: question.optional().meta({ description: 'DNS: the question, and what passes as its answer' }),
    grpc: z.string().regex(/^[\x21-\x7e]*$/, { message: 'expected the name of a service, or "" for the whole server' }).optional().meta({ description: 'gRPC health (grpc.health.v1): the service that must be SERVING; "" is the whole server' }),
    exec: z.array(z.string(), { error: 'expected a program and its arguments as a list, such as [/usr/local/bin/check, "{address}"]' }).min(1).refine((list) => list[0]!.startsWith('/') && !list.some((word) => word.includes('\0')), { message: 'expected the whole path of a program first' }).optional().meta({ description: 'a program with its arguments, run without a shell; exit status 0 passes; `{address}` and `{name}` stand for those of the target', unit: 'list of texts' }),
    metrics: path('metrics by HTTP, JSON or Prometheus text: the path that is asked'),
    of: z.array(label).min(1).max(256).optional().meta({ description: 'calculated: names of the checks that it is made of', unit: 'list of checks' }),
    'at-least': z.int().min(1).max(256).optional().meta({ description: 'of a calculated check: how many of them must pass; absent: all' }),
    port: port('port that is asked; absent: that of the edges for a member of the fleet, else 80, of HTTPS 443, of DNS 53'),
    host: hostname.optional().meta({ description: 'Host that is asked for; absent: the address' }),
    method: z.enum(['GET', 'HEAD', 'POST', 'OPTIONS']).optional().meta({ description: 'method of the request; absent: GET' }),
  headers,
    status: z.union([status, z.array(status).min(1)], { error: STATUS }).optional().meta({ description: 'statuses that pass; absent: 200-399', unit: 'status, range or list of them' }),
    text: z.string().min(1).max(1024).optional().meta({ description: 'text that must stand in the first 5,120 octets of the answer' }),
    pattern: z.string().min(1).max(512).superRefine((written, context) => {
    const fault = patternFault(written)
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault })
  }).optional().meta({ description: 'regular expression that must match in the first 5,120 octets of the answer; without back references and lookaround, so that it takes linear time', unit: 'regular expression' }),
    send: z.string().min(1).max(1024).optional().meta({ description: 'text that is sent first; "\\r\\n" ends a line' }),
    'server-name': hostname.optional().meta({ description: 'name in the TLS handshake (SNI) that the certificate must be for; absent: `host`, else the address' }),
    verify: z.boolean().optional().meta({ description: '`false` takes any certificate' }),
    authority: z.string().min(1).optional().meta({ description: 'PEM file of the authorities that certificates are checked against, relative to nearcast.yaml; absent: those of the system', unit: 'path' }),
    days: z.int().min(0).max(3650).optional().meta({ description: 'fails when a certificate of the chain ends within so many days', unit: 'days' }),
    secure: z.boolean().optional().meta({ description: '`true` asks over TLS' }),
    transport: z.enum(['udp', 'tcp']).optional().meta({ description: 'what a DNS check asks over; absent: udp' }),
    load: z.string().min(1).max(256).optional().meta({ description: 'metric that is the load: a path such as `stats.load` in JSON, a name such as `load{core="0"}` in Prometheus text' }),
    capacity: z.string().min(1).max(256).optional().meta({ description: 'metric that is the capacity, in the unit of the load; absent: the `capacity` of the edge' }),
    most: z.number().optional().meta({ description: 'load above which the check fails' }),
    every: everyCron,
    connect: duration('a probe that has no connection for this long has failed', '2s'),
    timeout: duration('a probe without a complete answer for this long has failed', '2s'),
    fall: z.int().min(1).max(10).default(3).meta({ description: 'failures in a row that take a target down' }),
    rise: z.int().min(1).max(10).default(2).meta({ description: 'passes in a row that bring it back' }),
    inverted: z.boolean().default(false).meta({ description: '`true`: up counts as down, and down as up' }),
    disabled: z.boolean().default(false).meta({ description: '`true`: nothing is asked, and it counts as up (inverted: down)' })
  },
  { error: (issue) => (issue.code === 'invalid_type' ? NOT_A_CHECK : undefined) }
)

/** One check as checked: just one of the keys of CHECK_KINDS is there. */
export type Check = z.output<typeof checkKeys>

const COMMON = ['every', 'connect', 'timeout', 'fall', 'rise', 'inverted', 'disabled']
const KINDS = Object.keys(CHECK_KINDS) as CheckKind[]

/** What kind of check it is. */
export function kindOf(check: Check): CheckKind {
  return KINDS.find((kind) => check[kind] !== undefined) ?? 'http'
}

type Refine = Parameters<Parameters<typeof checkKeys.superRefine>[0]>[1]

/** What keys stand together, which none of them shows alone. */
function refine(value: Check, context: Refine, mayBeKindless: boolean): void {
  const kinds = KINDS.filter((kind) => value[kind] !== undefined)
  const fault = (message: string, key?: string, hint?: string): void => {
    context.addIssue({ code: 'custom', message, ...(key !== undefined && { path: [key] }), ...(hint !== undefined && { params: { hint } }) })
  }
  if (kinds.length === 0 && !mayBeKindless) return fault('says nothing to ask', undefined, `one of ${KINDS.join(', ')}`)
  const [kind = 'http', other] = kinds
  if (other !== undefined) return fault(`${kind} and ${other} stand in one check; a check asks one thing`, other, 'give each a name, and join them with of: [a, b]')
  const allowed: readonly string[] = [...CHECK_KINDS[kind], kind]
  for (const key of Object.keys(value)) {
    if (COMMON.includes(key) || allowed.includes(key) || value[key as keyof Check] === undefined) continue
    fault(`has no meaning for ${kind}`, key, `beside ${kind}: ${CHECK_KINDS[kind].join(', ')}`)
  }
  if (value.of !== undefined && (value['at-least'] ?? 0) > value.of.length) fault(`is more than the ${value.of.length} checks of it`, 'at-least')
  if (value.most !== undefined && value.load === undefined) fault('needs a load to compare with', 'most', 'name the metric with load:')
  if (kind === 'metrics' && value.load === undefined) fault('names no metric', 'metrics', 'name the one that is the load with load:')
}

const ALL = {
    'suspect-ttl': z.int().min(0).max(3600).default(5).meta({ description: 'TTL of steered answers, in seconds, while an edge in question is suspect or down; never above the record\'s own', unit: 'seconds' }),
    'least-ttl': z.int().min(0).max(3600).default(1).meta({ description: 'what TTLs are never cut below; a record whose own is lower keeps it', unit: 'seconds' }),
    'hold-down': duration('a target that flaps stays down this long at least; doubles with each flap and decays', '10s'),
    ramp: duration('how long the weight and the capacity of a target that was down take to come back in full; policies by order take it at once', '30s')
}

/** The keys under `checks` that name no check. */
export const CHECK_SETTINGS: readonly string[] = Object.keys(ALL)

const check = checkKeys.superRefine((value, context) => refine(value, context, false))

const standard = checkKeys
  .superRefine((value, context) => refine(value, context, true))
  .transform((value): Check => (KINDS.some((kind) => value[kind] !== undefined) ? value : { ...value, http: '/healthz' }))

/** Beside what holds for all, every key is the name of a check. `named` has them all, `default` among them. */
export const checks = z
  .object({ default: standard.prefault({}).meta({ description: 'the check of every edge, regional and shield that names no other; the same keys, and `/healthz` by HTTP where it says nothing to ask' }), ...ALL })
  .catchall(check)
  .superRefine((value, context) => {
    for (const name of Object.keys(value)) {
      const { success, error } = label.safeParse(name)
      if (!success) context.addIssue({ code: 'custom', path: [name], message: error.issues[0]!.message })
    }
  })
  .transform((value) => {
    const { default: preset, 'suspect-ttl': suspectTtl, 'least-ttl': leastTtl, 'hold-down': holdDown, ramp, ...named } = value
    return { default: preset, 'suspect-ttl': suspectTtl, 'least-ttl': leastTtl, 'hold-down': holdDown, ramp, named: { default: preset, ...named } as Readonly<Record<string, Check>> }
  })
  .prefault({})
  .meta({ description: 'health checks by name, and what holds for all of them' })
