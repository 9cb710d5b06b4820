import { z } from 'zod'
import { pop } from './config-pops.ts'
import { address, duration, hostname, label, place, region } from './config-values.ts'

/** Statuses for which another origin of a group may be asked. */
const FAILING = [403, 404, 500, 502, 503, 504] as const
const BALANCES = ['failover', 'round-robin', 'weighted', 'least-connections', 'ip-hash', 'url-hash', 'response-time'] as const
export type BalanceName = (typeof BALANCES)[number]

/** Fields that are made for each request, or that are for one connection only. */
const NOT_SETTABLE = /^(?:host|content-length|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|via|cdn-loop|proxy-.*|x-nearcast-.*)$/i
const fieldName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, { message: 'expected the name of a header field' })
  .refine((name) => !NOT_SETTABLE.test(name), { message: 'this field is made for each request and cannot be set' })
const fieldValue = z.string().max(4096).regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, { message: 'expected a field value of printable ASCII, without spaces around it' })

export const origin = z.union(
  [
    z.strictObject({
      url: z.url({ protocol: /^https?$/, error: 'expected a URL such as http://192.0.2.10:8080' }).meta({ description: 'where the origin answers: protocol, host, port, and what its paths begin with, such as http://192.0.2.10:8080/site' }),
      host: hostname.optional().meta({ description: 'Host header sent to it; absent: the viewer\'s' }),
      headers: z.record(fieldName, fieldValue).default({}).meta({ description: 'fields that every request to it carries, in place of what the viewer sends under that name', unit: 'map of field names to values' }),
      'connect-timeout': duration('how long a connection may take to be made', '10s'),
      'response-timeout': duration('how long it may be silent: before its answer, and within', '10s'),
      attempts: z.int().min(1).max(10).default(3).meta({ description: 'how often a connection is tried for one request' }),
      'keep-alive': duration('how long an idle connection to it is kept', '60s'),
      check: label.optional().meta({ description: 'check that says whether it is up: a name under `checks`; absent: it is not checked, and its answers alone tell' }),
      region,
      at: place
    }),
    z.strictObject({ demo: address.meta({ description: 'run the bundled demo site on this address, at the HTTP port' }), pop, region, at: place })
  ],
  { error: 'expected either url: http://… or demo: ADDRESS' }
)

export const originGroup = z.strictObject({
  origins: z
    .union([z.array(label).min(1), z.record(label, z.int().min(1).max(1000))], { error: 'expected a list of origins, or a map of origins to weights' })
    .transform((value): Record<string, number> => (Array.isArray(value) ? Object.fromEntries(value.map((name) => [name, 1])) : value))
    .meta({ description: 'the origins, in order; as a map: each with its weight', unit: 'list of names, or map of names to weights' }),
  balance: z.enum(BALANCES).default('failover').meta({ description: 'which of them is asked first: `failover` the first that is well; the others share out requests among all that are' }),
  'fail-over-on': z
    .array(z.union(FAILING.map((status) => z.literal(status)), { error: `expected some of ${FAILING.join(', ')}` }))
    .default([500, 502, 503, 504])
    .meta({ description: 'statuses for which, to GET, HEAD and OPTIONS, the next of them is asked: out of 403, 404, 500, 502, 503 and 504', unit: 'list of numbers' })
})
