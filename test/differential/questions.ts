import { nameFromText } from '../../daemon/wire/name.ts'
import { typeFromText } from '../../daemon/wire/types.ts'
import type { Transport } from './ask.ts'
import type { Random } from '../helpers/random.ts'
import type { DraftZone } from './zones.ts'

/** One thing to ask of every server. */
export interface Question {
  readonly bytes: Buffer
  readonly transport: Transport
  /** As a person would write it. */
  readonly text: string
  /** Of a question that is well formed: its type and class. */
  readonly asks?: { readonly type: number; readonly class: number; readonly edns: number | undefined }
}

const COMMON = ['A', 'AAAA', 'NS', 'SOA', 'MX', 'TXT', 'CNAME', 'DNAME', 'DS', 'SRV', 'ANY', 'HTTPS', 'TYPE65280']
const SIZES = [512, 600, 1232, 4096, 0]

/** A question about the zones, from what stands in them and what nearly does. */
export function draftQuestion(random: Random, zones: readonly DraftZone[]): Question {
  const zone = random.pick(zones)
  const line = random.pick(zone.lines)
  const name = aboutName(random, line.owner, pointedAt(line.text) ?? zone.origin)
  const wire = nameFromText(name)
  if (typeof wire === 'string') return draftQuestion(random, zones)
  const shown = random.percent(30) ? wire.map((octet) => (octet >= 97 && octet <= 122 && random.percent(50) ? octet - 32 : octet)) : wire
  const mnemonic = random.percent(50) ? line.type : random.percent(80) ? random.pick(COMMON) : `TYPE${1 + random.below(127)}`
  const type = typeFromText(mnemonic)!
  const klass = random.percent(1) ? random.pick([3, 4, 254, 2]) : 1
  const flags = (random.percent(30) ? 0x100 : 0) | (random.percent(5) ? 0x10 : 0) | (random.percent(5) ? 0x20 : 0)
  const edns = random.percent(60) ? random.pick(SIZES) : undefined
  const isSecure = edns !== undefined && random.percent(30)
  const opt = edns === undefined ? Buffer.alloc(0) : Buffer.concat([Buffer.of(0), u16(41), u16(edns), Buffer.of(0, 0, isSecure ? 0x80 : 0, 0), u16(0)])
  const bytes = Buffer.concat([u16(random.below(65_536)), u16(flags), u16(1), u16(0), u16(0), u16(edns === undefined ? 0 : 1), shown, u16(type), u16(klass), opt])
  const transport = random.percent(15) ? 'tcp' : 'udp'
  const words = [name, mnemonic, klass === 1 ? '' : `CLASS${klass}`, flags & 0x100 ? '+rd' : '', flags & 0x10 ? '+cd' : '', edns === undefined ? '' : `+edns=${edns}`, isSecure ? '+do' : '', transport === 'tcp' ? '+tcp' : '']
  return { bytes, transport, text: words.filter((word) => word !== '').join(' '), asks: { type, class: klass, edns } }
}

/** The last word of RDATA, where it is a name. */
function pointedAt(text: string): string | undefined {
  const last = text.split(' ').at(-1)!
  return last.endsWith('.') && last.length > 1 ? last : undefined
}

function aboutName(random: Random, owner: string, pointed: string): string {
  const base = random.percent(20) ? pointed : owner
  const labels = base.split(/(?<!\\)\./)
  switch (random.below(10)) {
    case 0: return labels.slice(1).join('.') || '.'
    case 1: return `${random.pick(['a', 'b', 'new', '*', String.raw`\000`])}.${base}`
    case 2: return `${random.pick(['a', 'new'])}.${random.pick(['b', '*', 'new'])}.${base}`
    case 3: return [random.pick(['zz', '*', 'a']), ...labels.slice(1)].join('.') || '.'
    case 4: return random.percent(30) ? `${'z'.repeat(60)}.`.repeat(random.below(4)) + base : base
    default: return base
  }
}

/** A question with octets changed, cut off, added or moved. */
export function damage(random: Random, { bytes, transport, text }: Question): Question {
  let packet = Buffer.from(bytes)
  const done: string[] = []
  for (let left = 1 + random.below(3); left > 0; left--) {
    const at = random.below(packet.length)
    switch (random.below(6)) {
      case 0: packet[at] = random.below(256); done.push(`octet ${at}`); break
      case 1: packet[at]! ^= 1 << random.below(8); done.push(`bit in octet ${at}`); break
      case 2: packet = packet.subarray(0, Math.max(12, at)); done.push(`cut at ${at}`); break
      case 3: packet = Buffer.concat([packet, Buffer.from(Array.from({ length: 1 + random.below(20) }, () => random.below(256)))]); done.push('more behind'); break
      case 4: packet[2 + random.below(10)] = random.pick([0, 1, 2, 0x80, 0xff]); done.push('header'); break
      default: packet = Buffer.concat([packet.subarray(0, at), Buffer.of(random.pick([0, 0xc0, 0x0c, 0xff, 0x40])), packet.subarray(at)]); done.push(`octet put in at ${at}`)
    }
  }
  return { bytes: packet, transport, text: `${text} with ${done.join(', ')}: ${packet.toString('hex')}` }
}

function u16(value: number): Buffer {
  return Buffer.of(value >>> 8, value & 0xff)
}
