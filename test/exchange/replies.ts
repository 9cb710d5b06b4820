import { makeSigner, nameFromText, TYPE, typeFromText, type TsigKey } from '../../daemon/wire/index.ts'
import { rdataFromText, type PlainRecord } from '../../daemon/zone/index.ts'

export const wire = (text: string): Uint8Array => nameFromText(text) as Uint8Array

/** Records from lines such as `www A 192.0.2.1` (TTL 60) or `www 300 A 192.0.2.1`, relative to an origin. */
export function records(origin: string, ...lines: readonly string[]): PlainRecord[] {
  return lines.map((line) => {
    const [owner, ...words] = line.split(' ')
    const ttl = /^\d+$/.test(words[0]!) ? Number(words.shift()) : 60
    const type = typeFromText(words[0]!)!
    const rdata = rdataFromText(type, words.slice(1).join(' '), wire(origin))
    if (typeof rdata === 'string') throw new Error(`${line}: ${rdata}`)
    return { owner: nameFromText(owner!, wire(origin)) as Uint8Array, type, ttl, rdata }
  })
}

export const soa = (serial: number, refresh = 3600, retry = 600, expire = 86_400): string => `@ SOA ns1 hostmaster ${serial} ${refresh} ${retry} ${expire} 60`

export interface ReplyOptions {
  readonly answers: readonly PlainRecord[]
  readonly id?: number
  readonly flags?: number
  readonly question?: { readonly name: Uint8Array; readonly type: number } | undefined
  readonly class?: number
}

/** A reply, uncompressed. */
export function reply({ answers, id = 7, flags = 0x8400, question, class: of = 1 }: ReplyOptions): Uint8Array {
  const head = Buffer.alloc(12)
  head.writeUInt16BE(id, 0)
  head.writeUInt16BE(flags, 2)
  head.writeUInt16BE(question === undefined ? 0 : 1, 4)
  head.writeUInt16BE(answers.length, 6)
  const asked = question === undefined ? [] : [question.name, Buffer.from([question.type >> 8, question.type & 255, 0, 1])]
  const encoded = answers.flatMap(({ owner, type, ttl, rdata }) => {
    const fixed = Buffer.alloc(10)
    fixed.writeUInt16BE(type, 0)
    fixed.writeUInt16BE(of, 2)
    fixed.writeUInt32BE(ttl, 4)
    fixed.writeUInt16BE(rdata.length, 8)
    return [owner, fixed, rdata]
  })
  return Buffer.concat([head, ...asked, ...encoded])
}

/** The messages of a transfer, so many records to each, signed where there is a key. */
export function transferOf(answers: readonly PlainRecord[], options: { origin: string; type: 'AXFR' | 'IXFR'; each?: number; id?: number }): Uint8Array[] {
  const { each = 2 } = options
  const question = { name: wire(options.origin), type: TYPE[options.type] }
  return Array.from({ length: Math.ceil(answers.length / each) }, (_, at) =>
    reply({ answers: answers.slice(at * each, (at + 1) * each), id: options.id ?? 7, question: at === 0 ? question : undefined })
  )
}

export function signAll(messages: readonly Uint8Array[], key: TsigKey, mac: Uint8Array, now: number): Uint8Array[] {
  const sign = makeSigner(key, mac)
  return messages.map((message) => sign(message, now))
}
