// A reader of DNS messages that shares nothing with the one under test: strict, slow, and with every name written out.

/** A record with names in lower case and its RDATA without compression, so that two of them can be compared as texts. */
export interface Rr {
  readonly owner: string
  readonly type: number
  readonly class: number
  readonly ttl: number
  /** Hexadecimal; names inside in lower case. */
  readonly data: string
  /** For NS, CNAME, DNAME, MX and SRV: the name it speaks of. */
  readonly target?: string
}

export interface Message {
  readonly id: number
  readonly flags: number
  readonly rcode: number
  /** The question's octets as they are, or undefined when there is not exactly one. */
  readonly question: string | undefined
  readonly answer: readonly Rr[]
  readonly authority: readonly Rr[]
  readonly additional: readonly Rr[]
  readonly opt: Rr | undefined
}

/** Octets before the first name of RDATA, how many names there are, and whether they may be compressed when sent (RFC 3597 §4). */
const NAMES: Readonly<Record<number, readonly [skip: number, names: number, compressed: boolean]>> = {
  2: [0, 1, true], 3: [0, 1, true], 4: [0, 1, true], 5: [0, 1, true], 6: [0, 2, true], 7: [0, 1, true], 8: [0, 1, true], 9: [0, 1, true], 12: [0, 1, true],
  14: [0, 2, true], 15: [2, 1, true], 17: [0, 2, false], 18: [2, 1, false], 21: [2, 1, false], 26: [2, 2, false], 33: [6, 1, false], 36: [2, 1, false],
  39: [0, 1, false], 58: [0, 2, false], 107: [2, 1, false]
}
const TARGET_TYPES = [2, 5, 15, 33, 39]

/** Reads a whole message. @throws Error at the first octet that is not as it must be */
export function readMessage(bytes: Buffer): Message {
  if (bytes.length < 12) throw new Error('shorter than a header')
  const count = (at: number): number => bytes.readUInt16BE(at)
  let at = 12
  let question: string | undefined
  for (let left = count(4); left > 0; left--) {
    const start = at
    at = readName(bytes, at).next + 4
    if (at > bytes.length) throw new Error('question past the end')
    question = count(4) === 1 ? bytes.subarray(start, at).toString('hex') : undefined
  }
  const sections = [count(6), count(8), count(10)].map((records) => {
    const list: Rr[] = []
    for (let left = records; left > 0; left--) {
      const { rr, next } = readRecord(bytes, at)
      list.push(rr)
      at = next
    }
    return list
  }) as [Rr[], Rr[], Rr[]]
  if (at !== bytes.length) throw new Error(`${bytes.length - at} octets behind the message`)
  const opts = sections[2].filter(({ type }) => type === 41)
  if (opts.length > 1) throw new Error('two OPT records')
  const [opt] = opts
  return {
    id: count(0),
    flags: count(2) & 0x7ff0,
    rcode: (opt === undefined ? 0 : (opt.ttl >>> 24) << 4) | (bytes[3]! & 15),
    question,
    answer: sections[0],
    authority: sections[1],
    additional: sections[2].filter((rr) => rr !== opt),
    opt
  }
}

/** A name that may be compressed, as text in lower case with every odd octet as \DDD, and its octets in lower case. */
export function readName(bytes: Buffer, start: number): { text: string; octets: Buffer; next: number; jumped: boolean } {
  const octets: number[] = []
  let text = ''
  let at = start
  let next = -1
  for (let lowest = start; ; ) {
    const size = bytes[at]
    if (size === undefined) throw new Error('name past the end')
    if (size >= 0xc0) {
      const target = bytes.readUInt16BE(at) & 0x3fff
      if (target >= lowest) throw new Error('pointer forwards')
      if (next < 0) next = at + 2
      lowest = target
      at = target
      continue
    }
    if (size > 63) throw new Error(`label type ${size}`)
    octets.push(size)
    at++
    if (size === 0) break
    if (at + size > bytes.length) throw new Error('label past the end')
    for (const octet of bytes.subarray(at, at + size)) {
      const lower = octet >= 65 && octet <= 90 ? octet + 32 : octet
      octets.push(lower)
      text += /[a-z0-9_*-]/.test(String.fromCharCode(lower)) ? String.fromCharCode(lower) : `\\${String(lower).padStart(3, '0')}`
    }
    text += '.'
    at += size
    if (octets.length > 254) throw new Error('name over 255 octets')
  }
  return { text: text === '' ? '.' : text, octets: Buffer.from(octets), next: next < 0 ? at : next, jumped: next >= 0 }
}

function readRecord(bytes: Buffer, start: number): { rr: Rr; next: number } {
  const owner = readName(bytes, start)
  const at = owner.next
  if (at + 10 > bytes.length) throw new Error('record past the end')
  const type = bytes.readUInt16BE(at)
  const from = at + 10
  const end = from + bytes.readUInt16BE(at + 8)
  if (end > bytes.length) throw new Error('RDATA past the end')
  const head = { owner: owner.text, type, class: bytes.readUInt16BE(at + 2), ttl: bytes.readUInt32BE(at + 4) }
  const [skip, names, compressed] = NAMES[type] ?? [0, 0, false]
  if (names === 0 || end === from) return { rr: { ...head, data: bytes.toString('hex', from, end) }, next: end }
  let read = from + skip
  const parts = [bytes.subarray(from, read)]
  let target = ''
  for (let left = names; left > 0; left--) {
    const name = readName(bytes, read)
    if (name.jumped && !compressed) throw new Error(`compressed name in RDATA of type ${type}`)
    parts.push(name.octets)
    target = name.text
    read = name.next
  }
  if (read > end) throw new Error('name past its RDATA')
  parts.push(bytes.subarray(read, end))
  const rr = { ...head, data: Buffer.concat(parts).toString('hex') }
  return { rr: TARGET_TYPES.includes(type) ? { ...rr, target } : rr, next: end }
}

/** Whether `name` is `above` or beneath it; both as `readName` writes them. */
export function isUnder(name: string, above: string): boolean {
  return above === '.' || name === above || name.endsWith(`.${above}`)
}
