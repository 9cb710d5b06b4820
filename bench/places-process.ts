import { systemClock } from '../core/clock.ts'
import { buildPlaces, openPlaces } from '../geodb/index.ts'

// Brings a database of places, as a daemon does at its start. Arguments: the database, the folder that tables are kept in.

export interface PlacesFigures {
  /** Seconds, of the clock and of all processors. */
  readonly wall: number
  readonly cpu: number
  /** Octets: the tables, and the most that the process held at once. */
  readonly tables: number
  readonly peak: number
  readonly places: number
  /** Nanoseconds for a look-up, of IPv4 and of IPv6. */
  readonly find4: number
  readonly find6: number
}

const LOOKUPS = 1_000_000

const [database, cacheFolder] = process.argv.slice(2) as [string, string]

function time(find: (at: number) => number): number {
  const before = process.cpuUsage()
  let sum = 0
  for (let at = 0; at < LOOKUPS; at++) sum = (sum + find(at)) >>> 0
  const { user, system } = process.cpuUsage(before)
  return sum < 0 ? 0 : ((user + system) * 1e3) / LOOKUPS
}

const from = systemClock.elapsed()
const image = await buildPlaces({ database, local: 'KR', cacheFolder })
const { user, system } = process.cpuUsage()
const figures = { wall: (systemClock.elapsed() - from) / 1000, cpu: (user + system) / 1e6, tables: image.tables.byteLength, peak: process.resourceUsage().maxRSS * 1024 }
const { size, find4, find6 } = openPlaces(image)
// Spread over all of IPv4, and over the parts of 2000::/3 that are given out.
const addresses = new Uint8Array(16 * 65536)
for (let at = 0; at < addresses.length; at++) addresses[at] = at % 16 === 0 ? 0x20 + ((at >>> 4) % 11) : Math.imul(at, 0x9e3779b1) >>> 24
time((at) => find4(Math.imul(at, 0x9e3779b1) >>> 0))
process.send!({ ...figures, places: size, find4: time((at) => find4(Math.imul(at, 0x9e3779b1) >>> 0)), find6: time((at) => find6(addresses, (at & 0xffff) * 16)) } satisfies PlacesFigures)
