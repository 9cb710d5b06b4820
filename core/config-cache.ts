import { z } from 'zod'
import { duration, size } from './config-values.ts'
import { parseDuration } from './quantity.ts'

// What makes the key of a response, what of a request reaches the origin, and for how long what comes is held.

const DURATION = 'expected a duration such as 250ms, 2s, 1m or 1h'

/** A duration that may be absent. */
export const perhaps = (description: string) =>
  z
    .string({ error: DURATION })
    .refine((text) => parseDuration(text) !== undefined, { message: DURATION })
    .transform((text) => parseDuration(text)!)
    .optional()
    .meta({ description, unit: 'duration' })

const names = z.array(z.string().regex(/^[\x21-\x7e]+$/, { message: 'expected a name without white space, with * and ? as wildcards' })).min(1)

const CHOICE = 'expected all, none, only: [NAME, …] or except: [NAME, …]'

const selection = (description: string) =>
  z
    .union([z.strictObject({ only: names.meta({ description: 'these alone, with `*` and `?` as wildcards' }) }), z.strictObject({ except: names.meta({ description: 'all but these, with `*` and `?` as wildcards' }) }), z.enum(['all', 'none'])], { error: CHOICE })
    .optional()
    .meta({ description, unit: '`all`, `none`, `{ only: […] }` or `{ except: […] }`' })

const forwarded = (what: string) => names.optional().meta({ description: `${what} that reach the origin beside those of the key: what they change, everybody gets` })

/** A map by statuses that stand for errors. */
export const byStatus = <T extends z.ZodType>(value: T) =>
  z.record(z.string(), value).superRefine((map, context) => {
    for (const key of Object.keys(map)) if (!/^[45]\d\d$/.test(key)) context.addIssue({ code: 'custom', path: [key], message: 'expected a status from 400 to 599' })
  })

const errorTimes = byStatus(duration('for how long', '10s'))
  .optional()
  .meta({ description: 'for how long the answer to a request that fails is held, by its status, at least: longer where it says so itself', unit: 'map of status to duration' })

export const cachePolicy = z.strictObject({
  set: z.enum(['rfc9111', 'cloudfront']).default('rfc9111').meta({ description: 'the rules that hold where nothing else is said: those of RFC 9111, by which everything reaches the origin and `Vary` tells responses apart, or those of CloudFront, by which what makes the key reaches the origin and nothing else' }),
  query: selection('parameters of the query that make the key, and reach the origin; absent: all, in the set `cloudfront` none'),
  headers: selection('request headers that make the key, and reach the origin; absent: all reach it and `Vary` decides, in the set `cloudfront` none'),
  cookies: selection('cookies that make the key, and reach the origin; absent: all reach it and `Vary` decides, in the set `cloudfront` none'),
  country: z.boolean().default(false).meta({ description: 'the viewer\'s country makes the key; the origin is told it as X-Nearcast-Viewer-Country' }),
  device: z.boolean().default(false).meta({ description: 'the class of the viewer\'s device (desktop, mobile, tablet, tv) makes the key; the origin is told it as X-Nearcast-Viewer-Device' }),
  forward: z.strictObject({ query: forwarded('parameters'), headers: forwarded('headers'), cookies: forwarded('cookies') }).prefault({}).meta({ description: 'what reaches the origin without making the key' }),
  'min-ttl': perhaps('freshness that a response has at least; in the set `cloudfront` even where it says no-store, no-cache or private'),
  'default-ttl': perhaps('freshness of responses that state none; absent: by `Last-Modified`, in the set `cloudfront` 1d'),
  'max-ttl': perhaps('freshness that a response has at most; absent: what it says, in the set `cloudfront` 365d'),
  errors: errorTimes
})

const shown = z.int().min(200).max(599).optional().meta({ description: 'status that viewers get with it; absent: that of the error' })

/** Pages that stand in for errors. */
export const errorPages = byStatus(
  z.union(
    [
      z.strictObject({ path: z.string().regex(/^\/[\x21-\x7e]*$/, { message: 'expected a path that begins with /' }).meta({ description: 'where it is fetched, and held, as if a viewer asked for it' }), status: shown }),
      z.strictObject({ file: z.string().min(1).meta({ description: 'file with it, relative to nearcast.yaml, of 1 MiB at most', unit: 'path' }), status: shown })
    ],
    { error: 'expected { path: /PAGE } or { file: PATH }, with or without status:' }
  )
)
  .default({})
  .meta({ description: 'pages that viewers get in place of errors, by the status of the error' })

/** Which bodies are compressed for the viewers that take it. */
export const compress = z
  .union(
    [
      z.boolean().transform((on) => (on ? { types: undefined, 'min-size': 1024, 'max-size': 10 * 1024 * 1024 } : (false as const))),
      z.strictObject({
        types: z.array(z.string().regex(/^[a-z0-9*?.+/-]+$/, { message: 'expected a type such as text/html or text/*, in lower case' })).min(1).optional().meta({ description: 'types that are compressed; absent: text, scripts, JSON, XML, SVG, fonts that are not compressed yet' }),
        'min-size': size('smaller bodies are left as they are', '1KiB'),
        'max-size': size('larger bodies are left as they are', '10MiB')
      })
    ],
    { error: 'expected true, false or { types: […], min-size: …, max-size: … }' }
  )
  .default(false)
  .meta({ description: 'responses that are held are compressed once for the viewers that take it (br, gzip, zstd where Node has it), and decompressed for those that cannot take what the origin sent' })

const patterns = (what: string) =>
  z
    .record(z.string().regex(/^[\x21-\x7e]+$/, { message: 'expected a name without white space' }), z.string())
    .optional()
    .meta({ description: `${what} that must be there, each with a pattern for its value; \`*\` takes any`, unit: 'map of name to pattern' })

/** What a request must have, beside its path, for a behaviour to apply. */
export const conditions = z
  .strictObject({
    method: z.array(z.string().regex(/^[A-Z]{1,32}$/, { message: 'expected a method such as GET, in capital letters' })).min(1).optional().meta({ description: 'methods' }),
    headers: patterns('request headers'),
    query: patterns('parameters of the query'),
    cookies: patterns('cookies')
  })
  .optional()
  .meta({ description: 'what the request must have for the behaviour to apply, all of it' })
