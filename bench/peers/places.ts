// A database of places in MaxMind's format, which Knot, gdnsd, PowerDNS and Nearcast all read: every /18 of IPv4 is in one of
// six countries, without pattern. So all steer by the same data and must give the same answers.

/** Country, continent, and where it is for those who measure distances. */
export const COUNTRIES = [
  { code: 'KR', continent: 'AS', at: [37.46, 126.44] },
  { code: 'JP', continent: 'AS', at: [35.76, 140.39] },
  { code: 'DE', continent: 'EU', at: [50.03, 8.56] },
  { code: 'US', continent: 'NA', at: [38.95, -77.45] },
  { code: 'BR', continent: 'SA', at: [-23.43, -46.47] },
  { code: 'ZA', continent: 'AF', at: [-33.95, 18.6] }
] as const

const PREFIX = 18

/** The country of a network, by number in COUNTRIES; the network given as the upper 24 bits of its address. */
export function countryOf(network: number): number {
  const mixed = Math.imul((network >>> (24 - PREFIX)) + 1, 0x9e3779b1) >>> 0
  return ((mixed ^ (mixed >>> 15)) >>> 4) % COUNTRIES.length
}

const RECORD_OCTETS = 4
const SEPARATOR = 16

/** The database as octets: a binary tree of 32-bit records (IPv4 lies under ::/96), the data, and what it says of itself. */
export function placesDatabase(): Buffer {
  const { data, offsets } = layCountries()
  // The chain of zeros to ::/96, then a full tree of PREFIX levels.
  const chain = 96
  const nodes = chain + 2 ** PREFIX - 1
  const tree = Buffer.alloc(nodes * 2 * RECORD_OCTETS)
  const setRecord = (node: number, side: 0 | 1, value: number): void => void tree.writeUInt32BE(value, (node * 2 + side) * RECORD_OCTETS)
  for (let node = 0; node < chain; node++) {
    setRecord(node, 0, node + 1)
    setRecord(node, 1, nodes)
  }
  for (let level = 0; level < PREFIX; level++) {
    const first = chain + 2 ** level - 1
    const below = chain + 2 ** (level + 1) - 1
    for (let index = 0; index < 2 ** level; index++) {
      for (const side of [0, 1] as const) {
        const network = index * 2 + side
        setRecord(first + index, side, level < PREFIX - 1 ? below + network : nodes + SEPARATOR + offsets[countryOf(network << (24 - PREFIX))]!)
      }
    }
  }
  const about = encode({
    node_count: nodes, record_size: RECORD_OCTETS * 8, ip_version: 6, database_type: 'GeoIP2-Country', languages: ['en'],
    binary_format_major_version: 2, binary_format_minor_version: 0, build_epoch: 1_700_000_000, description: { en: 'made for measuring' }
  })
  return Buffer.concat([tree, Buffer.alloc(SEPARATOR), data, Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1'), about])
}

function layCountries(): { data: Buffer; offsets: number[] } {
  const parts: Buffer[] = []
  const offsets: number[] = []
  for (const { code, continent } of COUNTRIES) {
    offsets.push(parts.reduce((sum, part) => sum + part.length, 0))
    parts.push(encode({ continent: { code: continent }, country: { iso_code: code } }))
  }
  return { data: Buffer.concat(parts), offsets }
}

type Value = string | number | readonly Value[] | { readonly [key: string]: Value }

const UINT16_KEYS = ['record_size', 'ip_version', 'binary_format_major_version', 'binary_format_minor_version']

/** The data format of MaxMind DB 2.0; texts shorter than 29 octets. */
function encode(value: Value, key = ''): Buffer {
  if (typeof value === 'string') return Buffer.concat([Buffer.of((2 << 5) | value.length), Buffer.from(value)])
  if (typeof value === 'number') return encodeNumber(value, key)
  if (Array.isArray(value)) return Buffer.concat([Buffer.of(value.length, 11 - 7), ...(value as readonly Value[]).map((each) => encode(each))])
  const entries = Object.entries(value)
  return Buffer.concat([Buffer.of((7 << 5) | entries.length), ...entries.flatMap(([name, inner]) => [encode(name), encode(inner, name)])])
}

function encodeNumber(value: number, key: string): Buffer {
  const octets = Buffer.alloc(8)
  octets.writeBigUInt64BE(BigInt(value))
  if (UINT16_KEYS.includes(key)) return Buffer.concat([Buffer.of((5 << 5) | 2), octets.subarray(6)])
  if (key === 'build_epoch') return Buffer.concat([Buffer.of(8, 9 - 7), octets])
  return Buffer.concat([Buffer.of((6 << 5) | 4), octets.subarray(4)])
}
