import { type Entry, refuse, tokenText } from './entry.ts'
import { readTtlAndClass, readType } from './head.ts'

// $GENERATE range owner [ttl] [class] type data: one record per number of the range, as in BIND. In owner and data `$` stands
// for the number, `${offset,width,base}` for it moved, padded with zeros and written in base d, o, x or X, or as the
// nibbles n or N of ip6.arpa; `\$` and `$$` are a dollar sign.

const MOST_RECORDS = 65_536
const LONGEST_TEXT = 1 << 24
const WIDEST = 255
const MOST = 0x7fff_ffff

/** Text, and places where a number goes. */
type Template = readonly (string | Placeholder)[]

interface Placeholder {
  readonly offset: number
  readonly width: number
  readonly base: string
}

/** A line of the directive and the number it was made for. */
export interface Generated {
  readonly value: number
  readonly text: Uint8Array
}

/** The lines that the directive stands for; undefined with entry.wrong set when it is not well formed. */
export function generate(entry: Entry): Generated[] | undefined {
  const range = readRange(entry)
  const owner = range === undefined ? undefined : readTemplate(entry, 2, 'an owner such as host-$')
  if (range === undefined || owner === undefined) return undefined
  entry.next = 3
  readTtlAndClass(entry)
  if (entry.wrong !== undefined || readType(entry) === undefined) return undefined
  const data = readTemplate(entry, entry.next, 'data such as 192.0.2.$')
  if (data === undefined) return undefined
  if (entry.count > entry.next + 1) {
    refuse(entry, entry.next + 1, `the data of $GENERATE is one word, found ${tokenText(entry, entry.next + 1)} behind it`, 'put all of it between quotation marks: "10 host-$"')
    return undefined
  }
  const head = Array.from({ length: entry.next - 3 }, (_, index) => rawToken(entry, index + 3)).join(' ')
  return writeLines(entry, range, (value) => `${fill(owner, value)} ${head} ${fill(data, value)}`)
}

interface Range {
  readonly start: number
  readonly stop: number
  readonly step: number
}

function readRange(entry: Entry): Range | undefined {
  if (entry.count < 2) {
    refuse(entry, 0, '$GENERATE needs a range, an owner, a type and data', 'such as $GENERATE 1-9 host-$ A 192.0.2.$')
    return undefined
  }
  const found = tokenText(entry, 1)
  const [, first, last, by = '1'] = /^(\d{1,10})-(\d{1,10})(?:\/(\d{1,10}))?$/.exec(found) ?? []
  const range = { start: Number(first), stop: Number(last), step: Number(by) }
  const { start, stop, step } = range
  const count = Math.floor((stop - start) / step) + 1
  if (first === undefined || stop > MOST || step > MOST) refuse(entry, 1, `expected a range such as 1-9 or 0-100/2, of numbers up to ${MOST}, found ${found}`)
  else if (step === 0) refuse(entry, 1, `${found}: a step of 0 has no end`)
  else if (start > stop) refuse(entry, 1, `${found}: the range ends before it begins`)
  else if (count > MOST_RECORDS) refuse(entry, 1, `${found} makes ${count} records; ${MOST_RECORDS} at most are possible`)
  else return range
  return undefined
}

/** Octets of a token as characters of one octet each. */
function rawToken(entry: Entry, token: number): string {
  return Buffer.from(entry.text.subarray(entry.starts[token], entry.ends[token])).toString('latin1')
}

function readTemplate(entry: Entry, token: number, what: string): Template | undefined {
  if (token >= entry.count) {
    refuse(entry, entry.count, `the line ends where ${what} is expected`)
    return undefined
  }
  if (token === 2 && (entry.quoted[token] === 1 || entry.innerQuote === token)) {
    refuse(entry, token, `expected ${what}, without quotation marks`)
    return undefined
  }
  const raw = rawToken(entry, token)
  // Between quotation marks those of the data itself are escaped.
  return parseTemplate(entry, token, entry.quoted[token] === 1 ? raw.replaceAll('\\"', '"') : raw)
}

function parseTemplate(entry: Entry, token: number, text: string): Template | undefined {
  const parts: (string | Placeholder)[] = []
  const piece = /\\[^]?|\$\$|\$\{[^}]*\}?|\$|[^\\$]+/g
  for (const [found] of text.matchAll(piece)) {
    if (found === '$$') parts.push('\\$')
    else if (found === '$') parts.push({ offset: 0, width: 0, base: 'd' })
    else if (!found.startsWith('${')) parts.push(found)
    else {
      const [, offset, width = '0', base = 'd'] = /^\$\{([+-]?\d{1,10})(?:,(\d{1,3})(?:,([doxXnN]))?)?\}$/.exec(found) ?? []
      if (offset === undefined || Number(width) > WIDEST) {
        refuse(entry, token, `expected \${offset,width,base} such as \${0,3,d}, found ${found}`, `the width is ${WIDEST} at most, the base one of d o x X n N`)
        return undefined
      }
      parts.push({ offset: Number(offset), width: Number(width), base })
    }
  }
  return parts
}

function fill(template: Template, value: number): string {
  return template.map((part) => (typeof part === 'string' ? part : writeNumber(value + part.offset, part))).join('')
}

function writeNumber(number: number, { width, base }: Placeholder): string {
  switch (base) {
    case 'd':
      return number < 0 ? `-${String(-number).padStart(width - 1, '0')}` : String(number).padStart(width, '0')
    case 'o':
      return (number >>> 0).toString(8).padStart(width, '0')
    case 'x':
    case 'X':
      return inCase((number >>> 0).toString(16).padStart(width, '0'), base === 'X')
    default:
      return inCase(nibbles(number >>> 0, width), base === 'N')
  }
}

const inCase = (text: string, upper: boolean): string => (upper ? text.toUpperCase() : text)

/** The last nibble first, with dots between; the width counts the dots, and one that would end in a dot gets a nibble more. */
function nibbles(number: number, width: number): string {
  const digits = [...number.toString(16)].reverse()
  while (digits.length * 2 - 1 < width) digits.push('0')
  return digits.join('.')
}

function writeLines(entry: Entry, { start, stop, step }: Range, line: (value: number) => string): Generated[] | undefined {
  const lines: Generated[] = []
  let octets = 0
  for (let value = start; value <= stop; value += step) {
    const text = Buffer.from(`${line(value)}\n`, 'latin1')
    octets += text.length
    if (octets > LONGEST_TEXT) {
      refuse(entry, 0, `this comes to more than ${LONGEST_TEXT >> 20} MiB of records`)
      return undefined
    }
    lines.push({ value, text })
  }
  return lines
}
