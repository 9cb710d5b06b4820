import { lowerOctet, ROOT } from '../wire/name.ts'
import { isMetaType, TYPE_ROWS, typeFromText, typeToText, type TypeRow } from '../wire/types.ts'
import { type Entry, makeEntry, nextEntry, refuse, roomFor, tokenText } from './entry.ts'
import { type Data, type Field, readNumber } from './field.ts'
import { hexText, readHex } from './field-binary.ts'
import { FIELD_KINDS } from './fields.ts'
import { TYPE_ALIAS, TYPE_ROUTE } from './record.ts'

/** A row made ready: its fields with their names. Types without a row have no fields and are written as RFC 3597 has it. */
export interface Codec {
  readonly mnemonic: string
  readonly number: number
  readonly fields: readonly { readonly what: string; readonly field: Field }[]
  readonly example: string
  /** A parameter of it may have a quotation mark inside: alpn="h2". */
  readonly innerQuotes: boolean
  /** Octets before the names that fill the rest of the RDATA; undefined when it holds anything else. */
  readonly namesFrom: number | undefined
}

const PSEUDO_ROWS: readonly TypeRow[] = [
  { mnemonic: 'ROUTE', number: TYPE_ROUTE, fields: 'policy:policy', example: 'nearest' },
  { mnemonic: 'ALIAS', number: TYPE_ALIAS, fields: 'target:name', example: 'www' }
]

const WIDTH: Readonly<Record<string, number>> = { u8: 1, u16: 2, u32: 4 }

function makeCodec({ mnemonic, number, fields, example }: TypeRow): Codec {
  const words = fields.split(' ').map((word) => word.split(':') as [string, string])
  const named = words.map(([what, kind]) => {
    const field = FIELD_KINDS[kind]
    if (field === undefined) throw new Error(`the row of ${mnemonic} has a field of unknown kind ${kind}`)
    return { what, field }
  })
  const firstName = words.findIndex(([, kind]) => kind.endsWith('name'))
  const onlyNames = firstName >= 0 && words.slice(firstName).every(([, kind]) => kind.endsWith('name'))
  const before = words.slice(0, Math.max(0, firstName)).reduce((sum, [, kind]) => sum + (WIDTH[kind] ?? Number.NaN), 0)
  return {
    mnemonic,
    number,
    fields: named,
    example,
    innerQuotes: words.some(([, kind]) => kind === 'svcparams'),
    namesFrom: onlyNames && !Number.isNaN(before) ? before : undefined
  }
}

const ALL = [...TYPE_ROWS, ...PSEUDO_ROWS].map(makeCodec)
const BY_NUMBER = new Map(ALL.map((codec) => [codec.number, codec]))

/** Mnemonics that may stand in a zone file, for suggestions. */
export const ZONE_MNEMONICS: readonly string[] = ALL.map((codec) => codec.mnemonic)

/** The codec of a type; one without fields for types that have no row. */
export function codecOf(number: number): Codec {
  return BY_NUMBER.get(number) ?? { mnemonic: typeToText(number), number, fields: [], example: '', innerQuotes: false, namesFrom: undefined }
}

/** A type as zone files write it: with ROUTE and ALIAS beside the mnemonics of DNS. */
export function recordTypeToText(number: number): string {
  return codecOf(number).mnemonic
}

// Mnemonics by a hash of their octets, so that the common ones are found without making a string of the token.
const BY_HASH = new Map<number, Codec>()
for (const codec of ALL) {
  const octets = new TextEncoder().encode(codec.mnemonic)
  const key = foldedHash(octets, 0, octets.length)
  if (BY_HASH.has(key)) throw new Error(`the hash of ${codec.mnemonic} is not its own`)
  BY_HASH.set(key, codec)
}

function foldedHash(text: Uint8Array, from: number, to: number): number {
  let hash = 0
  for (let at = from; at < to; at++) hash = (Math.imul(hash, 31) + lowerOctet(text[at]!)) & 0x3fff_ffff
  return hash
}

/** The type that a token names, or undefined. Meta types such as ANY are none here. */
export function codecOfToken(entry: Entry, token: number): Codec | undefined {
  const start = entry.starts[token]!
  const end = entry.ends[token]!
  const found = BY_HASH.get(foldedHash(entry.text, start, end))
  if (found !== undefined && spells(entry.text, start, end, found.mnemonic)) return found
  const number = typeFromText(tokenText(entry, token))
  return number === undefined || isMetaType(number) || number === 0 ? undefined : codecOf(number)
}

function spells(text: Uint8Array, from: number, to: number, mnemonic: string): boolean {
  if (to - from !== mnemonic.length) return false
  for (let at = 0; at < mnemonic.length; at++) if (lowerOctet(text[from + at]!) !== lowerOctet(mnemonic.charCodeAt(at))) return false
  return true
}

/** Reads all tokens from entry.next on as RDATA of a type, written at entry.write; false with entry.wrong set. */
export function readRdata(entry: Entry, codec: Codec): boolean {
  const start = entry.write
  if (!readFields(entry, codec)) return mentionType(entry, codec)
  if (entry.next < entry.count) {
    refuse(entry, entry.next, `nothing more is expected, found ${tokenText(entry, entry.next)}`, codec.fields.length === 1 ? 'one record for each' : undefined)
    return mentionType(entry, codec)
  }
  if (entry.write - start <= 65_535) return true
  refuse(entry, 0, `${entry.write - start} octets of data, and a record holds 65535`)
  return mentionType(entry, codec)
}

function mentionType(entry: Entry, codec: Codec): false {
  const { at, reason, hint } = entry.wrong!
  const example = codec.fields.length === 0 ? `such as ${codec.mnemonic} \\# 4 0A000001` : `such as ${codec.mnemonic} ${codec.example}`
  const shown = hint ?? (reason.includes('such as') ? undefined : example)
  entry.wrong = shown === undefined ? { at, reason: `${codec.mnemonic}: ${reason}` } : { at, reason: `${codec.mnemonic}: ${reason}`, hint: shown }
  return false
}

function readFields(entry: Entry, codec: Codec): boolean {
  const { fields } = codec
  if (isGeneric(entry)) return readGeneric(entry, codec)
  if (fields.length === 0) return refuse(entry, entry.next, 'a type without a text form of its own: expected \\#, the length and hexadecimal digits')
  if (entry.innerQuote >= 0 && !codec.innerQuotes) return refuse(entry, entry.innerQuote, 'a quotation mark inside a word', 'put the whole in quotation marks, or write \\"')
  for (let at = 0; at < fields.length; at++) if (!fields[at]!.field.read(entry, fields[at]!.what)) return false
  return true
}

function isGeneric(entry: Entry): boolean {
  const token = entry.next
  if (token >= entry.count || entry.quoted[token] === 1) return false
  const start = entry.starts[token]!
  return entry.text[start] === 0x5c && entry.text[start + 1] === 0x23 && entry.ends[token] === start + 2
}

/** RFC 3597 §5: \# LENGTH HEX…. Data of a type that is known must be such data. */
function readGeneric(entry: Entry, codec: Codec): boolean {
  entry.next++
  const token = entry.next
  const length = readNumber(entry, 'the length', 65_535)
  if (length < 0) return false
  const start = entry.write
  if (entry.next < entry.count && !readHex(entry, 'the data')) return false
  if (entry.write - start !== length) return refuse(entry, token, `the length says ${length} octets, and ${entry.write - start} follow`)
  if (codec.fields.length === 0 || fieldTexts(codec, entry.out.subarray(start, entry.write)) !== undefined) return true
  return refuse(entry, token, `these octets are no data of ${codec.mnemonic}`)
}

/** The text of each field, or undefined when the octets are no such RDATA. */
function fieldTexts(codec: Codec, rdata: Uint8Array): string[] | undefined {
  if (codec.fields.length === 0) return undefined
  const data: Data = { octets: rdata, at: 0, end: rdata.length }
  const texts: string[] = []
  for (const { field } of codec.fields) {
    const text = field.print(data)
    if (text === undefined) return undefined
    if (text !== '') texts.push(text)
  }
  return data.at === data.end ? texts : undefined
}

/** Whether the octets are RDATA (uncompressed) of the type; any are of a type that has no row. */
export function isRdata(type: number, rdata: Uint8Array): boolean {
  const codec = codecOf(type)
  return rdata.length <= 65_535 && (codec.fields.length === 0 || fieldTexts(codec, rdata) !== undefined)
}

/** RDATA (uncompressed) as a zone file writes it; in the generic form of RFC 3597 when the type is unknown or the octets do not fit it. */
export function rdataToText(type: number, rdata: Uint8Array): string {
  const texts = fieldTexts(codecOf(type), rdata)
  return texts?.join(' ') ?? `\\# ${rdata.length} ${hexText(rdata)}`.trimEnd()
}

/** RDATA of a type from its text, on one line; the reason when it is none. Names without final dot are completed by `origin`. */
export function rdataFromText(type: number, text: string, origin: Uint8Array = ROOT): Uint8Array | string {
  const codec = codecOf(type)
  const entry = makeEntry(new TextEncoder().encode(text), origin)
  nextEntry(entry)
  entry.out = new Uint8Array(entry.count === 0 ? 0 : roomFor(entry))
  if (entry.wrong === undefined && readRdata(entry, codec)) return entry.out.slice(0, entry.write)
  return entry.wrong!.reason
}
