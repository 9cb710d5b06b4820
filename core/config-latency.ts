import { z } from 'zod'
import { duration, label } from './config-values.ts'

/** What is measured of viewers' round trips, and what of it counts. */
export const latency = z
  .strictObject({
    measure: z.boolean().default(true).meta({ description: 'edges measure the round trips of their viewers, and answers go by them' }),
    local: z.boolean().default(false).meta({ description: 'special-use networks (loopback, private, documentation) count too: for rehearsals on one machine' }),
    'half-life': duration('after this long a sample weighs half', '30m'),
    forget: duration('what has not been measured again for this long counts no more', '24h'),
    collect: duration('how often the daemon asks each edge what is new', '10s'),
    change: duration('answers change by what was measured at most this often', '1m'),
    addresses: z.int().min(1).max(32).default(5).meta({ description: 'addresses of a network (/56 of IPv6) that must have been heard before what is measured of it counts' }),
    samples: z.int().min(1).max(10_000).default(20).meta({ description: 'samples of a network that must have been heard before they count' }),
    networks: z.int().min(64).max(65_536).default(8192).meta({ description: 'networks (/24, /48) that each edge and the daemon keep; 230 octets each at an edge' }),
    beacon: z.boolean().default(true).meta({ description: 'edges serve `/.nearcast/latency.js` and `/.nearcast/beacon.gif`, by which browsers measure all edges, and take their reports' }),
    share: z.number().min(0).max(1).default(0.01).meta({ description: 'share of the page views in which the script measures' }),
    urls: z
      .record(label, z.url({ protocol: /^https?$/, error: 'expected a URL such as http://192.0.2.10:8080' }))
      .default({})
      .meta({ description: 'where browsers reach an edge alone, by its name, such as https://icn.example.net; absent: its first address, over plain HTTP', unit: 'map of edges to URLs' })
  })
  .prefault({})
  .meta({ description: 'measured latency' })
