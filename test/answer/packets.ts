import packet from 'dns-packet'
import { parseAddress, parsePrefix } from '../../core/address.ts'
import { rdataToText } from '../../daemon/zone/index.ts'
import { classFromText, nameFromText, typeFromText, typeToText } from '../../daemon/wire/index.ts'

/** A query as the words of a case ask for it. */
export interface Asked {
  readonly bytes: Uint8Array
  readonly source: { family: 4 | 6; bytes: Uint8Array; at: number }
  readonly transport: 'udp' | 'tcp' | 'tls'
}

const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'YXDOMAIN', 'YXRRSET', 'NXRRSET', 'NOTAUTH']

/** Writes the query that `TYPE NAME [modifier…]` stands for; see case.ts. */
export function writeQuery([type, name, ...modifiers]: readonly string[]): Asked {
  const value = (key: string): string | undefined => modifiers.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1)
  const has = (word: string): boolean => modifiers.includes(word)
  const wire = nameFromText(name!)
  if (typeof wire === 'string') throw new Error(`${name}: ${wire}`)
  const question = Buffer.concat([wire, u16(typeFromText(type!)!), u16(classFromText(value('class') ?? 'IN')!)])
  const options = modifiers.flatMap((word) => optionOf(word))
  const edns = has('edns') || has('do') || options.length > 0 || value('size') !== undefined || value('version') !== undefined
  const rdata = Buffer.concat(options)
  const opt = Buffer.concat([Buffer.of(0), u16(41), u16(Number(value('size') ?? 1232)), Buffer.of(0, Number(value('version') ?? 0), has('do') ? 0x80 : 0, 0), u16(rdata.length), rdata])
  const header = Buffer.concat([u16(0x1234), Buffer.of(has('rd') ? 1 : 0, 0), u16(1), u16(0), u16(0), u16(edns ? 1 : 0)])
  const { family, bytes } = parseAddress(value('from') ?? '127.0.0.1')!
  return { bytes: Buffer.concat([header, question, edns ? opt : Buffer.alloc(0)]), source: { family, bytes, at: 0 }, transport: has('tls') ? 'tls' : has('tcp') ? 'tcp' : 'udp' }
}

function optionOf(word: string): Buffer[] {
  const [key, value = ''] = word.split('=', 2)
  if (key === 'nsid') return [option(3, Buffer.alloc(0))]
  if (key === 'keepalive') return [option(11, Buffer.alloc(0))]
  if (key === 'padding') return [option(12, Buffer.alloc(1))]
  if (key === 'cookie') return [option(10, Buffer.from(value, 'hex'))]
  if (key === 'option') return [option(Number(value.split(':')[0]), Buffer.from(value.split(':')[1]!, 'hex'))]
  if (key !== 'subnet') return []
  const { family, bytes, length } = parsePrefix(value)!
  return [option(8, Buffer.concat([u16(family === 4 ? 1 : 2), Buffer.of(length, 0), bytes.subarray(0, Math.ceil(length / 8))]))]
}

const option = (code: number, data: Buffer): Buffer => Buffer.concat([u16(code), u16(data.length), data])

export function u16(value: number): Buffer {
  return Buffer.of(value >>> 8, value & 0xff)
}

/** A reply as lines: `RCODE flags`, then a line per record, and one for the OPT. */
export function replyLines(bytes: Uint8Array): string[] {
  if (bytes.length === 0) return ['silence']
  const message = packet.decode(Buffer.from(bytes)) as packet.DecodedPacket
  const opt = message.additionals?.find((record) => record.type === 'OPT') as packet.OptAnswer | undefined
  const rcode = ((opt?.extendedRcode ?? 0) << 4) | (bytes[3]! & 15)
  const flags = [message.flag_aa && 'aa', message.flag_tc && 'tc', message.flag_rd && 'rd', message.flag_ra && 'ra', message.flag_ad && 'ad', message.flag_cd && 'cd']
  const lines = [[rcode === 16 ? 'BADVERS' : rcode === 23 ? 'BADCOOKIE' : RCODES[rcode], ...flags.filter((flag) => flag !== false)].join(' ')]
  const question = message.questions?.[0]
  if (question === undefined) lines.push('no question')
  for (const [section, records] of [['answer', message.answers], ['authority', message.authorities], ['additional', message.additionals]] as const) {
    for (const record of records ?? []) if (record.type !== 'OPT') lines.push(`${section} ${recordText(record)}`)
  }
  if (opt !== undefined) lines.push(['edns', `udp ${opt.udpPayloadSize}`, opt.flag_do ? 'do' : '', ...opt.options.map((option) => optionText(option, bytes.length))].filter((part) => part !== '').join(' '))
  return lines
}

const dotted = (name: string): string => (name === '.' || name.endsWith('.') ? name : `${name}.`)

function recordText(record: packet.Answer): string {
  const { name, type, ttl } = record as { name: string; type: string; ttl: number }
  const mnemonic = type.startsWith('UNKNOWN_') ? typeToText(Number(type.slice(8))) : type
  return `${dotted(name)} ${ttl} ${(record as { class?: string }).class ?? 'IN'} ${mnemonic} ${dataText(record)}`
}

function dataText(record: packet.Answer): string {
  const octets = (record as unknown as { data: Uint8Array }).data
  if (record.type === ('UNKNOWN_64' as never) || record.type === ('UNKNOWN_65' as never)) return rdataToText(Number((record as { type: string }).type.slice(8)), octets)
  switch (record.type) {
    case 'A': case 'AAAA': return record.data
    case 'CNAME': case 'NS': case 'PTR': case 'DNAME': return dotted(record.data)
    case 'MX': return `${record.data.preference} ${dotted(record.data.exchange)}`
    case 'SRV': return `${record.data.priority} ${record.data.weight} ${record.data.port} ${dotted(record.data.target)}`
    case 'SOA': return `${dotted(record.data.mname)} ${dotted(record.data.rname)} ${record.data.serial} ${record.data.refresh} ${record.data.retry} ${record.data.expire} ${record.data.minimum}`
    case 'TXT': return [record.data].flat().map((text) => `"${text.toString()}"`).join(' ')
    case 'DS': return `${record.data.keyTag} ${record.data.algorithm} ${record.data.digestType} ${record.data.digest.toString('hex').toUpperCase()}`
    case 'HINFO': return `"${record.data.cpu}" "${record.data.os}"`
    default: return `\\# ${Buffer.from((record as unknown as { data: Uint8Array }).data ?? []).toString('hex')}`
  }
}

function optionText(option: packet.PacketOpt, size: number): string {
  const { code, data } = option as unknown as { code: number; data: Buffer }
  if (code === 8) {
    const [, family, source, scope] = data
    const address = [...data.subarray(4), ...new Uint8Array(16)]
    const text = family === 1 ? address.slice(0, 4).join('.') : family === 2 ? (option as unknown as { ip: string }).ip : 'none'
    return `subnet ${text}/${source} scope ${scope}`
  }
  if (code === 10) return `cookie ${Buffer.from(data).toString('hex')}`
  if (code === 11) return `keepalive ${data.readUInt16BE(0) / 10}s`
  if (code === 12) return `padding to ${size}`
  if (code === 3) return `nsid "${data.toString()}"`
  if (code === 15) return `error ${data.readUInt16BE(0)}${data.length > 2 ? ` "${data.subarray(2).toString()}"` : ''}`
  return `option ${code} ${data.toString('hex')}`
}
