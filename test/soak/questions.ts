import { nameFromText } from '../../daemon/wire/index.ts'
import type { Message, Rr } from '../helpers/message.ts'
import type { Random } from '../helpers/random.ts'
import { EDGES, HOSTS, ZONE } from './server.ts'

// What is asked in earnest, and what the zone says to it.

/** Editions of the zone that an answer may come from. */
export interface Editions {
  readonly oldest: number
  readonly newest: number
}

export interface Question {
  readonly packet: Buffer
  /** What is wrong with the answer; undefined when it is right. */
  fault(answer: Message, editions: Editions, isTcp: boolean): string | undefined
}

const TYPE = { A: 1, SOA: 6, MX: 15, TXT: 16, AAAA: 28, ANY: 255 } as const
const TRUNCATED = 0x0200
const AUTHORITATIVE = 0x0400

const hex = (address: string): string => Buffer.from(address.split('.').map(Number)).toString('hex')
const text = (value: string): string => Buffer.concat([Buffer.of(value.length), Buffer.from(value)]).toString('hex')
const datas = (records: readonly Rr[], type: number): string[] => records.filter((record) => record.type === type).map((record) => record.data)
const owner = (name: string): string => `${name}.${ZONE}.`

function packet(id: number, name: string, type: number, options: Buffer | undefined): Buffer {
  const head = Buffer.of(id >> 8, id & 255, 0, 0, 0, 1, 0, 0, 0, 0, 0, options === undefined ? 0 : 1)
  const opt = options === undefined ? Buffer.alloc(0) : Buffer.concat([Buffer.of(0, 0, 41, 4, 208, 0, 0, 0, 0, options.length >> 8, options.length & 255), options])
  return Buffer.concat([head, nameFromText(name) as Uint8Array, Buffer.of(type >> 8, type & 255, 0, 1), opt])
}

type Check = (answer: Message, editions: Editions, isTcp: boolean) => string | undefined

/** Answered with these data of a type, and authoritative. */
const says = (type: number, ...data: string[]): Check => ({ rcode, flags, answer }) => {
  const got = datas(answer, type)
  return rcode === 0 && (flags & AUTHORITATIVE) !== 0 && got.length === data.length && data.every((each) => got.includes(each)) ? undefined : `${rcode}, ${got.join(' ')} rather than ${data.join(' ')}`
}
const oneOf = (data: readonly string[]): Check => ({ rcode, answer }) => {
  const got = datas(answer, TYPE.A)
  return rcode === 0 && got.length === 1 && data.includes(got[0]!) ? undefined : `${rcode}, ${got.join(' ')}`
}
const denies = (wanted: number): Check => ({ rcode, answer, authority }, { oldest, newest }) => {
  const serial = Number(`0x${authority.find(({ type }) => type === TYPE.SOA)?.data.slice(-40, -32) ?? '0'}`)
  return rcode === wanted && answer.length === 0 && serial >= oldest && serial <= newest ? undefined : `${rcode}, ${answer.length} answers, serial ${serial} of ${oldest} to ${newest}`
}

const KINDS: readonly ((random: Random) => { name: string; type: number; options?: Buffer; check: Check })[] = [
  () => ({ name: owner('www'), type: TYPE.A, check: says(TYPE.A, hex('192.0.2.1')) }),
  (random) => ({ name: owner(`h${random.below(HOSTS)}`), type: TYPE.A, options: Buffer.alloc(0), check: says(TYPE.A, hex('10.0.0.1')) }),
  () => ({
    name: owner('edition'), type: TYPE.TXT, options: Buffer.alloc(0),
    check: ({ rcode, answer }, { oldest, newest }) => {
      const edition = Number(Buffer.from(datas(answer, TYPE.TXT)[0] ?? '', 'hex').subarray(1).toString())
      return rcode === 0 && edition >= oldest && edition <= newest ? undefined : `edition ${edition} of ${oldest} to ${newest}`
    }
  }),
  () => ({ name: owner('alias'), type: TYPE.A, check: says(TYPE.A, hex('192.0.2.1')) }),
  (random) => ({ name: owner(`x${random.below(1e9)}.wild`), type: TYPE.TXT, check: says(TYPE.TXT, text('wild')) }),
  (random) => ({ name: owner(`x${random.below(1e9)}.renamed`), type: TYPE.TXT, check: says(TYPE.TXT, text('wild')) }),
  (random) => ({ name: owner(`none${random.below(1e9)}`), type: TYPE.A, options: Buffer.alloc(0), check: denies(3) }),
  () => ({ name: owner('www'), type: TYPE.AAAA, check: denies(0) }),
  (random) => ({
    name: owner(`x${random.below(1e9)}.sub`), type: TYPE.A,
    check: ({ rcode, flags, authority, additional }) => (rcode === 0 && (flags & AUTHORITATIVE) === 0 && authority[0]?.target === owner('ns.sub') && additional[0]?.data === hex('192.0.2.54') ? undefined : 'no referral')
  }),
  () => ({ name: owner('mail'), type: TYPE.MX, check: ({ rcode, answer }) => (rcode === 0 && answer[0]?.target === owner('www') ? undefined : 'no MX') }),
  () => ({
    name: owner('large'), type: TYPE.TXT, options: Buffer.alloc(0),
    check: ({ rcode, flags, answer }, _editions, isTcp) => {
      if (!isTcp) return (flags & TRUNCATED) !== 0 && answer.length === 0 ? undefined : 'not truncated'
      return rcode === 0 && answer[0]?.data.length === 9 * 201 * 2 ? undefined : 'not whole'
    }
  }),
  (random) => ({
    name: owner('steered'), type: TYPE.A, options: Buffer.from([0, 8, 0, 7, 0, 1, 24, 0, 1 + random.below(222), random.below(256), random.below(256)]), check: oneOf(EDGES.map(hex))
  }),
  () => ({ name: owner('pick'), type: TYPE.A, check: oneOf(EDGES.map(hex)) }),
  () => ({ name: `${ZONE}.`, type: TYPE.ANY, check: ({ rcode, answer }, _editions, isTcp) => (rcode === 0 && (isTcp ? answer.length === 2 : answer[0]?.type === 13) ? undefined : `ANY: ${answer.length} records`) }),
  () => ({ name: 'elsewhere.example.', type: TYPE.A, check: ({ rcode }) => (rcode === 5 ? undefined : `${rcode} for a name of nobody's`) })
]

/** Something that may be asked, with what the zone says to it. */
export function makeQuestion(random: Random, id: number): Question {
  const { name, type, options, check } = random.pick(KINDS)(random)
  const bytes = packet(id, name, type, options)
  const asked = bytes.subarray(12, bytes.length - (options === undefined ? 0 : 11 + options.length)).toString('hex')
  return {
    packet: bytes,
    fault: (answer, editions, isTcp) => {
      if (answer.question !== asked) return `${name} ${type}: another question came back`
      const wrong = check(answer, editions, isTcp)
      return wrong === undefined ? undefined : `${name} ${type}: ${wrong}`
    }
  }
}
