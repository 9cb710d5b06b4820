import type { Address } from '../../core/address.ts'
import { CLASS, makeQuery, nameToText, OPCODE, parseOther, parseQuery, type TsigKey } from '../wire/index.ts'

/** A message that was handed over: its signature verified and taken off, its form sound. */
export interface Request {
  /** Without its TSIG. */
  readonly message: Uint8Array
  readonly opcode: number
  /** What the question names, which is a zone for all but ordinary queries: in lower case, wire form and text. */
  readonly name: Uint8Array
  readonly zone: string
  readonly type: number
  readonly class: number
  /** Where the sections behind the question begin. */
  readonly questionEnd: number
  /** What the form alone calls for; NOERROR when it is sound. */
  readonly fault: number
  readonly source: Address
  readonly transport: 'udp' | 'tcp'
  /** That it is signed with; and the same by name, as rules have it. */
  readonly key?: TsigKey
  readonly keyName?: string
  /** Of its signature: tells it from every other message. */
  readonly mac?: Uint8Array
  /** Octets that a reply may have before it is signed. */
  readonly limit: number
}

/** What answers a request: nothing, a message, or many of them, each asked for when the one before has left. */
export type Answer = Uint8Array | undefined | Generator<Uint8Array, void, undefined> | AsyncGenerator<Uint8Array, void, undefined>

/** Takes the message apart; undefined where nothing must be said. */
export function readRequest(message: Uint8Array, about: Pick<Request, 'source' | 'transport' | 'key' | 'mac' | 'limit'>): Request | undefined {
  const query = makeQuery()
  const said = parseQuery(message, 0, message.length, query)
  if (said < 0) return undefined
  const isOther = query.opcode === OPCODE.NOTIFY || query.opcode === OPCODE.UPDATE
  const fault = isOther ? parseOther(message, query) : said
  const isSound = query.questionEnd !== 0
  const name = isSound ? query.name.lower.slice(0, query.name.length) : new Uint8Array(1)
  // Over UDP what a query's OPT offers.
  const limit = about.transport === 'tcp' ? about.limit : Math.min(about.limit, query.payload)
  return {
    ...about, message, limit, opcode: query.opcode, name, zone: nameToText(name), fault, questionEnd: query.questionEnd,
    type: isSound ? query.type : 0, class: isSound ? query.class : CLASS.IN,
    ...(about.key !== undefined && { keyName: nameToText(about.key.name) })
  }
}

/** A reply that is an RCODE and the question. */
export function refusal({ message, questionEnd }: Pick<Request, 'message' | 'questionEnd'>, rcode: number): Uint8Array {
  const reply = message.slice(0, Math.max(12, questionEnd))
  reply[2] = 0x80 | (message[2]! & 0x79)
  reply[3] = rcode & 15
  reply.fill(0, 4, 12)
  reply[5] = questionEnd === 0 ? 0 : 1
  return reply
}

