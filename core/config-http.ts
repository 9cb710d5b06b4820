import { z } from 'zod'
import { duration, port, size } from './config-values.ts'

export const http = z
  .strictObject({
    port: port('port of every edge, regional, shield and of the demo origin; when it is taken the next free one', 8080),
    'header-size': size('largest request head, request line included', '20KiB'),
    'header-count': z.int().min(8).max(10_000).default(128).meta({ description: 'fields in a request head' }),
    'url-length': size('longest request target', '8KiB'),
    'body-size': size('largest content of a request', '1GiB'),
    idle: duration('a client connection without a request for this long is closed', '60s'),
    'least-rate': size('what a client must bring of a content, and take of an answer, each second in the long run; what it is not waited for does not count', '1KiB'),
    'head-timeout': duration('a request head must be complete within this long', '10s'),
    upgrade: z.array(z.string().regex(/^[a-z0-9-]+$/, { message: 'expected the name of a protocol in lower case' }).refine((name) => !/^(?:h2c?|http|tls)$/.test(name), { message: 'HTTP itself goes on by this: requests in it would pass unseen' })).default(['websocket']).meta({ description: 'protocols that a request may be upgraded to, through all tiers to the origin; never one by which HTTP itself goes on, such as h2c', unit: 'list of protocols' }),
    'tunnel-idle': duration('a connection that was upgraded is closed when neither side says anything for this long', '10m'),
    tunnels: z.int().min(0).max(1_000_000).default(4096).meta({ description: 'upgraded connections that an edge, regional or shield holds at once' }),
    clients: z.int().min(1).max(10_000_000).default(50_000).meta({ description: 'connections that an edge, regional or shield holds at once; beyond that new ones are closed at once' }),
    'clients-per-address': z.int().min(1).max(1_000_000).default(1000).meta({ description: 'connections that an edge holds at once from one address' })
  })
  .prefault({})
  .meta({ description: 'the HTTP listeners' })

const pemChain = z.string().min(1).meta({ description: 'PEM file with the certificate chain, relative to nearcast.yaml; read again when it changes', unit: 'path' })
const pemKey = z.string().min(1).meta({ description: 'PEM file with its private key, relative to nearcast.yaml', unit: 'path' })

/** A certificate and its key stand together or not at all. */
export const certificateKeys = { certificate: pemChain.optional(), key: pemKey.optional() }

export function needBothOfCertificate(value: { certificate?: string | undefined; key?: string | undefined }, context: z.core.$RefinementCtx): void {
  if ((value.certificate === undefined) === (value.key === undefined)) return
  const [there, missing] = value.certificate === undefined ? ['key', 'certificate'] : ['certificate', 'key']
  context.addIssue({ code: 'custom', path: [there], message: `needs ${missing}: beside it`, input: value })
}

export const https = z
  .strictObject({
    port: port('port of the edges for HTTPS', 8443),
    ...certificateKeys,
    'handshake-timeout': duration('a TLS handshake must be complete within this long', '5s'),
    http2: z.boolean().default(true).meta({ description: '`false`: HTTP/1.1 alone' }),
    streams: z.int().min(1).max(10_000).default(100).meta({ description: 'requests at once on a connection of HTTP/2' })
  })
  .superRefine(needBothOfCertificate)
  .optional()
  .meta({ description: 'HTTPS at the edges; absent: HTTP alone. Distributions without a certificate of their own have this one; where it names none, the fleet is its own authority: `tls/ca.pem` of the state folder' })
