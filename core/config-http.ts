import { z } from 'zod'
import { duration, port, size } from './config-values.ts'

export const http = z
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

export const https = z
  .strictObject({
    port: port('port of the edges for HTTPS', 8443),
    certificate: z.string().min(1).meta({ description: 'PEM file with the certificate chain', unit: 'path' }),
    key: z.string().min(1).meta({ description: 'PEM file with its private key', unit: 'path' })
  })
  .optional()
  .meta({ description: 'HTTPS at the edges; absent: HTTP alone' })
