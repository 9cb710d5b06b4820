import type { After, Clock } from '../../core/clock.ts'
import { makeVerifier, readMessage, signRequest, TYPE, type TsigKey } from '../wire/index.ts'
import { askByTcp, askByUdp, type Endpoint, type NoReply } from './client.ts'
import { makeQuestion, rcodeText } from './question.ts'
import { beginTransferIn, isSameName, type Transferred, type TransferFault } from './transfer-in.ts'

/** A primary as it is asked. */
export interface Primary extends Endpoint {
  readonly key?: TsigKey
}

export interface AskTools {
  readonly clock: Clock
  readonly after: After
  /** Of message ids: from 0 up to 1. */
  random(): number
}

/** What bounds a transfer in: octets of records, and milliseconds. */
export interface TransferLimits {
  readonly octets: number
  readonly connect: number
  readonly idle: number
  readonly total: number
}

const SOA_WAITS = [1000, 2000, 4000]
const SOA_LIMITS = { connect: 5000, idle: 5000, total: 10_000 }

const seconds = ({ now }: Clock): number => Math.floor(now() / 1000)
const anId = ({ random }: AskTools): number => Math.floor(random() * 0x10000)

/** What a primary says of a zone: RDATA of its SOA, or why there is none. */
export type Serial = { readonly kind: 'soa'; readonly rdata: Uint8Array } | { readonly kind: 'fault'; readonly reason: string }
type Told = Serial | { readonly kind: 'truncated' }

/** Asks a primary for the SOA of a zone: by UDP, and by TCP where its answer is truncated. @param origin wire form */
export async function askSoa(primary: Primary, origin: Uint8Array, tools: AskTools): Promise<Serial | NoReply> {
  const id = anId(tools)
  const plain = makeQuestion({ id, name: origin, type: TYPE.SOA })
  const { key } = primary
  const signed = key === undefined ? undefined : signRequest(plain, key, seconds(tools.clock))
  const message = signed?.message ?? plain
  // Whoever answers something else altogether is not who was asked: the wait goes on.
  const read = (reply: Uint8Array): Told | undefined => {
    const verdict = signed === undefined ? undefined : makeVerifier(key!, signed.mac)(reply, seconds(tools.clock))
    if (verdict?.kind === 'bad') return reply.length > 12 && ((reply[0]! << 8) | reply[1]!) === id ? { kind: 'fault', reason: verdict.reason } : undefined
    return readSoa(verdict?.message ?? reply, id, origin)
  }
  const { after } = tools
  const told = await askByUdp<Told>({ to: primary, message: () => message, waits: SOA_WAITS, after, read })
  if (told.kind !== 'truncated') return told
  const byTcp = await askByTcp<Told>({ to: primary, message, limits: SOA_LIMITS, after, take: (reply) => read(reply) ?? { kind: 'fault', reason: 'a message is no reply to what was asked' } })
  return byTcp.kind === 'truncated' ? { kind: 'fault', reason: 'its answer is truncated over TCP' } : byTcp
}

function readSoa(reply: Uint8Array, id: number, origin: Uint8Array): Told | undefined {
  const message = readMessage(reply)
  if (message === undefined || !message.isReply || message.opcode !== 0 || message.id !== id) return undefined
  const [question] = message.questions
  if (question === undefined || question.type !== TYPE.SOA || !isSameName(question.name, origin)) return undefined
  if (message.rcode !== 0) return { kind: 'fault', reason: `answers ${rcodeText(message.rcode)} for the SOA` }
  if (message.isTruncated) return { kind: 'truncated' }
  const soa = message.answers.find(({ owner, type }) => type === TYPE.SOA && isSameName(owner, origin))
  if (soa === undefined || soa.rdata.length < 22) return { kind: 'fault', reason: 'answers without the SOA' }
  return message.isAuthoritative ? { kind: 'soa', rdata: soa.rdata } : { kind: 'fault', reason: 'has no authority for the zone' }
}

/**
 * Transfers a zone from a primary: what changed since a SOA that is held, and the whole when that is not to be had.
 * @param origin wire form, lower case
 * @param soa RDATA; absent: the whole
 */
export async function transferFrom(primary: Primary, origin: Uint8Array, soa: Uint8Array | undefined, limits: TransferLimits, tools: AskTools): Promise<Transferred | TransferFault | NoReply> {
  const { key } = primary
  const { clock, after } = tools
  const transfer = beginTransferIn({ origin, id: anId(tools), mostOctets: limits.octets, ...(soa !== undefined && { soa }), ...(key !== undefined && { key }) }, seconds(clock))
  const result = await askByTcp<Transferred | TransferFault>({ to: primary, message: transfer.query, limits, after, take: (message) => transfer.take(message, seconds(clock)) })
  return result.kind === 'fault' && result.isAboutIncremental ? transferFrom(primary, origin, undefined, limits, tools) : result
}
