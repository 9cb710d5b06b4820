import { validate } from 'node-cron'
import { z } from 'zod'
import { duration } from './config-values.ts'

// The keys of nearcast.yaml under `checks`.

const check = z.strictObject({
  http: z.string().regex(/^\/[\x21-\x7e]*$/, { message: 'expected a path that begins with /' }).default('/healthz').meta({ description: 'path that is asked with GET; a status of 200 to 399 passes' }),
  every: z.string().refine(validate, { message: 'expected a cron expression of six fields, seconds first, such as */30 * * * * *' }).default('*/30 * * * * *').meta({ description: 'when full checks are due, as a node-cron expression with seconds; spread over the interval', unit: 'cron expression' }),
  timeout: duration('a probe without a complete answer for this long has failed', '2s'),
  fall: z.int().min(1).max(10).default(3).meta({ description: 'failures in a row that take a target down' }),
  rise: z.int().min(1).max(10).default(2).meta({ description: 'passes in a row that bring it back' })
})

export const checks = z
  .strictObject({
    default: check.prefault({}).meta({ description: 'the check of every edge, regional and shield' }),
    'suspect-ttl': z.int().min(0).max(3600).default(5).meta({ description: 'TTL of steered answers, in seconds, while an edge in question is suspect or down; never above the record\'s own', unit: 'seconds' }),
    'hold-down': duration('a target that flaps stays down this long at least; doubles with each flap and decays', '10s')
  })
  .prefault({})
  .meta({ description: 'health checks' })
