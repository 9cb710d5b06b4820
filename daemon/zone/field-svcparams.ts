import { formatAddress } from '../../core/address.ts'
import { nearest } from '../../core/suggest.ts'
import { type Entry, refuse, tokenText } from './entry.ts'
import { copyToken, type Data, type Field, quote, take, takeOctets } from './field.ts'
import { readIpv4, readIpv6 } from '../../core/address-text.ts'

/** The parameters of SVCB and HTTPS (RFC 9460 §14.3.2), each with how its value is read and printed. A reader answers what is wrong. */
interface Parameter {
  readonly name: string
  readonly read: (value: Uint8Array) => Uint8Array | string
  /** Undefined when the octets are no such value; '' when the key stands alone. */
  readonly print: (value: Uint8Array) => string | undefined
}

const MANDATORY = 0
const ALPN = 1
const NO_DEFAULT_ALPN = 2
const IPV4HINT = 4
const IPV6HINT = 6

const PARAMETERS: readonly Parameter[] = [
  { name: 'mandatory', read: readMandatory, print: printMandatory },
  { name: 'alpn', read: readAlpn, print: printAlpn },
  { name: 'no-default-alpn', read: (value) => (value.length === 0 ? value : 'no-default-alpn has no value'), print: (value) => (value.length === 0 ? '' : undefined) },
  { name: 'port', read: readPort, print: (value) => (value.length === 2 ? String(value[0]! * 256 + value[1]!) : undefined) },
  { name: 'ipv4hint', read: (value) => readHints(value, 4), print: (value) => printHints(value, 4) },
  { name: 'ech', read: readEch, print: (value) => (value.length > 0 ? `"${Buffer.from(value).toString('base64')}"` : undefined) },
  { name: 'ipv6hint', read: (value) => readHints(value, 16), print: (value) => printHints(value, 16) },
  { name: 'dohpath', read: (value) => (value.length > 0 ? value : 'dohpath needs a value, such as /dns-query{?dns}'), print: (value) => (value.length > 0 ? quote(value) : undefined) },
  { name: 'ohttp', read: (value) => (value.length === 0 ? value : 'ohttp has no value'), print: (value) => (value.length === 0 ? '' : undefined) }
]

const NUMBERS = new Map(PARAMETERS.map(({ name }, number) => [name, number]))

export const svcparams: Field = {
  read: (entry) => {
    const values = new Map<number, Uint8Array>()
    const first = entry.next
    if (entry.innerQuote >= 0 && entry.innerQuote < first) return refuse(entry, entry.innerQuote, `expected a name, found ${tokenText(entry, entry.innerQuote)}`, 'the target stands before the parameters: . is the owner itself')
    for (; entry.next < entry.count; entry.next++) if (!readParameter(entry, entry.next, values)) return false
    const conflict = conflictOf(values)
    if (conflict !== undefined) return refuse(entry, first, conflict)
    for (const [key, value] of [...values].sort((a, b) => a[0] - b[0])) {
      entry.out.set([key >>> 8, key & 0xff, value.length >>> 8, value.length & 0xff], entry.write)
      entry.out.set(value, entry.write + 4)
      entry.write += 4 + value.length
    }
    return true
  },
  print: printParameters
}

function printParameters(data: Data): string | undefined {
  const words: string[] = []
  const values = new Map<number, Uint8Array>()
  let last = -1
  while (data.at < data.end) {
    const key = take(data, 2)
    const length = take(data, 2)
    const value = length === undefined ? undefined : takeOctets(data, length)
    if (value === undefined || key! <= last || key === 65_535) return undefined
    last = key!
    values.set(last, value)
    const parameter = PARAMETERS[last]
    const text = parameter === undefined ? (value.length === 0 ? '' : quote(value)) : parameter.print(value)
    if (text === undefined) return undefined
    words.push(text === '' ? keyName(last) : `${keyName(last)}=${text}`)
  }
  return conflictOf(values) === undefined ? words.join(' ') : undefined
}

/** What parameters say together that they must not (RFC 9460 §7.1.1, §8). */
function conflictOf(values: ReadonlyMap<number, Uint8Array>): string | undefined {
  if (values.has(NO_DEFAULT_ALPN) && !values.has(ALPN)) return 'no-default-alpn needs an alpn beside it'
  const mandatory = values.get(MANDATORY) ?? new Uint8Array(0)
  for (let at = 0; at < mandatory.length; at += 2) {
    const key = mandatory[at]! * 256 + mandatory[at + 1]!
    if (!values.has(key)) return `mandatory names ${keyName(key)}, which is not there`
    if (values.get(key)!.length === 0 && (key === IPV4HINT || key === IPV6HINT)) return `mandatory names ${keyName(key)}, and auto may come to no address`
  }
  return undefined
}

function readParameter(entry: Entry, token: number, values: Map<number, Uint8Array>): boolean {
  const { text } = entry
  const start = entry.starts[token]!
  let end = entry.ends[token]!
  let split = text.indexOf(0x3d, start)
  if (split < 0 || split > end) split = end
  const name = new TextDecoder().decode(text.subarray(start, split))
  const key = keyNumber(name)
  if (key === undefined) {
    const near = (): string | undefined => nearest(name, NUMBERS.keys())
    return refuse(entry, token, `expected a parameter such as alpn=h2, found ${tokenText(entry, token)}`, () => (near() === undefined ? 'others are written key667=…' : `did you mean ${near()}?`))
  }
  if (values.has(key)) return refuse(entry, token, `${keyName(key)} stands here twice`)
  let from = Math.min(split + 1, end)
  if (end - from >= 2 && text[from] === 0x22 && text[end - 1] === 0x22) {
    from++
    end--
  }
  const value = unescape(entry, from, end)
  if (value === undefined) return refuse(entry, token, `${name}: a backslash needs a character or three digits from 000 to 255 behind it`)
  const read = PARAMETERS[key]?.read(value) ?? value
  if (typeof read === 'string') return refuse(entry, token, read)
  if (read.length > 65_535) return refuse(entry, token, `${name}: the value is too long`)
  values.set(key, read)
  return true
}

/** The octets of text[from, end), through the space behind what has been written. */
function unescape(entry: Entry, from: number, end: number): Uint8Array | undefined {
  const part = { ...entry, starts: Int32Array.of(from), ends: Int32Array.of(end) }
  const length = copyToken(part, 0, entry.write)
  return length < 0 ? undefined : entry.out.slice(entry.write, entry.write + length)
}

function keyName(key: number): string {
  return PARAMETERS[key]?.name ?? `key${key}`
}

function keyNumber(name: string): number | undefined {
  const lower = name.toLowerCase()
  const known = NUMBERS.get(lower)
  if (known !== undefined) return known
  const match = /^key(0|[1-9]\d{0,4})$/.exec(lower)
  return match !== null && Number(match[1]) < 65_535 ? Number(match[1]) : undefined
}

/** The parts of a comma-separated list, where \, is a comma and \\ a backslash of a part (RFC 9460 A.1). */
function splitList(value: Uint8Array): number[][] {
  const parts: number[][] = [[]]
  for (let at = 0; at < value.length; at++) {
    if (value[at] === 0x2c) parts.push([])
    else parts.at(-1)!.push(value[at] === 0x5c && at + 1 < value.length ? value[++at]! : value[at]!)
  }
  return parts
}

function readMandatory(value: Uint8Array): Uint8Array | string {
  const keys = splitList(value).map((part) => keyNumber(String.fromCharCode(...part)))
  if (keys.some((key) => key === undefined)) return 'mandatory lists names of parameters, such as mandatory=alpn,port'
  const sorted = (keys as number[]).sort((a, b) => a - b)
  if (sorted[0] === MANDATORY) return 'mandatory must not list itself'
  if (new Set(sorted).size < sorted.length) return 'mandatory lists a parameter twice'
  return Uint8Array.from(sorted.flatMap((key) => [key >>> 8, key & 0xff]))
}

function printMandatory(value: Uint8Array): string | undefined {
  if (value.length === 0 || value.length % 2 === 1) return undefined
  const keys = Array.from({ length: value.length / 2 }, (_, at) => value[at * 2]! * 256 + value[at * 2 + 1]!)
  return keys.every((key, at) => key > (at === 0 ? MANDATORY : keys[at - 1]!) && key < 65_535) ? keys.map(keyName).join(',') : undefined
}

function readAlpn(value: Uint8Array): Uint8Array | string {
  const parts = splitList(value)
  if (parts.some((part) => part.length === 0 || part.length > 255)) return 'alpn lists protocols, such as alpn=h2,h3'
  return Uint8Array.from(parts.flatMap((part) => [part.length, ...part]))
}

function printAlpn(value: Uint8Array): string | undefined {
  const list: number[] = []
  for (let at = 0; at < value.length; at += value[at]! + 1) {
    if (value[at] === 0 || at + value[at]! >= value.length) return undefined
    if (at > 0) list.push(0x2c)
    for (const octet of value.subarray(at + 1, at + 1 + value[at]!)) list.push(...(octet === 0x2c || octet === 0x5c ? [0x5c, octet] : [octet]))
  }
  return list.length === 0 ? undefined : quote(Uint8Array.from(list))
}

function readPort(value: Uint8Array): Uint8Array | string {
  const text = String.fromCharCode(...value.subarray(0, 9))
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Uint8Array.of(Number(text) >>> 8, Number(text) & 0xff) : `port: expected a number from 0 to 65535, found ${text}`
}

function readEch(value: Uint8Array): Uint8Array | string {
  const text = String.fromCharCode(...value)
  return /^([\w+/]{4})*([\w+/]{3}=|[\w+/]{2}==)?$/.test(text) && text !== '' && !text.includes('_') ? Buffer.from(text, 'base64') : 'ech: expected base64'
}

/** `auto`, which stands as no address at all: what the target is answered with, filled in for each client. */
function readHints(value: Uint8Array, size: 4 | 16): Uint8Array | string {
  if (String.fromCharCode(...value) === 'auto') return new Uint8Array(0)
  const parts = splitList(value)
  const out = new Uint8Array(parts.length * size)
  for (const [at, part] of parts.entries()) {
    const text = Uint8Array.from(part)
    const right = size === 4 ? readIpv4(text, 0, text.length, out, at * 4) : readIpv6(text, 0, text.length, out, at * 16)
    if (!right) return `ipv${size === 4 ? 4 : 6}hint: expected addresses separated by commas, or auto, found ${String.fromCharCode(...part)}`
  }
  return out
}

function printHints(value: Uint8Array, size: 4 | 16): string | undefined {
  if (value.length === 0) return 'auto'
  if (value.length % size !== 0) return undefined
  return Array.from({ length: value.length / size }, (_, at) => formatAddress(value.subarray(at * size, at * size + size))).join(',')
}
