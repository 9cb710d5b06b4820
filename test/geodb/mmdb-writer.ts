import { parsePrefix } from '../../core/address.ts'

export interface WriteOptions {
  readonly ipVersion: 4 | 6
  readonly recordSize?: 24 | 28 | 32
  readonly type?: string
  /** Prefixes under which the IPv4 addresses hang a second time, as in published databases. */
  readonly aliases?: readonly string[]
}

/** Networks and their records as a MaxMind database. Longer prefixes win over shorter ones given before them. */
export function writeMmdb(networks: Iterable<readonly [string, unknown]>, { ipVersion, recordSize = 24, type = 'Test', aliases = [] }: WriteOptions): Buffer {
  const EMPTY = -1 // else: a node's number, or -2 - offset of a record
  const nodes: number[] = [EMPTY, EMPTY]
  const data: Buffer[] = []
  const offsets = new Map<string, number>()
  let size = 0
  const offsetOf = (record: unknown): number => {
    const key = JSON.stringify(record)
    const known = offsets.get(key)
    if (known !== undefined) return known
    const bytes = encode(record)
    offsets.set(key, size)
    data.push(bytes)
    size += bytes.length
    return size - bytes.length
  }
  const put = (text: string, value: number, inTree = ipVersion): void => {
    const { family, bytes, length } = parsePrefix(text)!
    const lead = inTree === 6 && family === 4 ? 96 : 0
    const bit = (at: number): number => (at < lead ? 0 : (bytes[(at - lead) >>> 3]! >>> (7 - ((at - lead) & 7))) & 1)
    let node = 0
    for (let at = 0; at < lead + length - 1; at++) {
      const slot = node * 2 + bit(at)
      if (nodes[slot]! < 0) nodes[slot] = nodes.push(nodes[slot]!, nodes[slot]!) / 2 - 1
      node = nodes[slot]!
    }
    nodes[node * 2 + bit(lead + length - 1)] = value
  }
  for (const [text, record] of networks) put(text, -2 - offsetOf(record))
  if (aliases.length > 0) {
    let start = 0
    for (let at = 0; at < 96; at++) start = nodes[start * 2]!
    for (const alias of aliases) put(alias, start)
  }
  const count = nodes.length / 2
  const tree = Buffer.alloc((count * recordSize) / 4)
  const values = nodes.map((value) => (value === EMPTY ? count : value >= 0 ? value : count + 16 - 2 - value))
  for (let node = 0; node < count; node++) writeNode(tree, node, values[node * 2]!, values[node * 2 + 1]!, recordSize)
  const metadata = encode({
    binary_format_major_version: 2, binary_format_minor_version: 0, build_epoch: 1_780_000_000, database_type: type,
    description: { en: 'test' }, ip_version: ipVersion, languages: ['en'], node_count: count, record_size: recordSize
  })
  return Buffer.concat([tree, Buffer.alloc(16), ...data, Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1'), metadata])
}

function writeNode(tree: Buffer, node: number, left: number, right: number, recordSize: number): void {
  const at = (node * recordSize) / 4
  if (recordSize === 32) {
    tree.writeUInt32BE(left, at)
    tree.writeUInt32BE(right, at + 4)
    return
  }
  tree.writeUIntBE(left & 0xffffff, at, 3)
  tree.writeUIntBE(right & 0xffffff, at + Math.ceil(recordSize / 8), 3)
  if (recordSize === 28) tree[at + 3] = ((left >>> 24) << 4) | (right >>> 24)
}

/** MaxMind DB format, data section: a control octet with type and size, then the value. */
function encode(value: unknown): Buffer {
  const head = (type: number, size: number): Buffer => {
    const [inline, more] = size < 29 ? [size, []] : size < 285 ? [29, [size - 29]] : [30, [(size - 285) >>> 8, (size - 285) & 255]]
    return Buffer.from(type > 7 ? [inline, type - 7, ...more] : [(type << 5) | inline, ...more])
  }
  if (typeof value === 'string') return Buffer.concat([head(2, Buffer.byteLength(value)), Buffer.from(value)])
  if (typeof value === 'boolean') return head(14, value ? 1 : 0)
  if (Array.isArray(value)) return Buffer.concat([head(11, value.length), ...value.map(encode)])
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(8)
    if (Number.isInteger(value) && value >= 0) return (bytes.writeUInt32BE(value), Buffer.concat([head(6, 4), bytes.subarray(0, 4)]))
    return (bytes.writeDoubleBE(value), Buffer.concat([head(3, 8), bytes]))
  }
  const entries = Object.entries(value as object)
  return Buffer.concat([head(7, entries.length), ...entries.flatMap(([key, inner]) => [encode(key), encode(inner)])])
}
