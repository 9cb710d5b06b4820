import { CLASS, nameToText, RCODE, readMessage, TYPE, typeToText, type MessageRecord, type Question } from '../wire/index.ts'
import { isRdata } from '../zone/index.ts'

/** An UPDATE message (RFC 2136 §2) taken apart; its additional section is left alone. */
export interface UpdateMessage {
  readonly zone: Question
  readonly prerequisites: readonly UpdateRecord[]
  readonly updates: readonly UpdateRecord[]
}

/** A record of an UPDATE message; names uncompressed. */
export type UpdateRecord = MessageRecord

/** What stands in the way of a message, and the rcode that says so. */
export interface Malformed {
  readonly rcode: number
  readonly reason: string
}

/** Takes an UPDATE message apart: one zone, then prerequisites and updates, every RDATA such as its type has it. */
export function parseUpdate(bytes: Uint8Array): UpdateMessage | Malformed {
  const message = readMessage(bytes)
  const malformed = (reason: string): Malformed => ({ rcode: RCODE.FORMERR, reason })
  if (message === undefined) return malformed('the octets are no message')
  const { questions, answers: prerequisites, authorities: updates } = message
  const zone = questions[0]
  if (zone === undefined || questions.length > 1) return malformed(`${questions.length} zones in the zone section`)
  // A zone section names a zone by its SOA (§2.3).
  if (zone.type !== TYPE.SOA) return malformed(`${typeToText(zone.type)} in the zone section`)
  const wrong = [...prerequisites, ...updates].find((record) => !hasData(record))
  return wrong === undefined ? { zone, prerequisites, updates } : malformed(`the data of ${nameToText(wrong.owner)} are no ${typeToText(wrong.type)}`)
}

/** What is deleted or asked for as a whole comes without data; that others have none of theirs is told apart later. */
function hasData({ type, class: kind, rdata }: UpdateRecord): boolean {
  return kind === CLASS.ANY || (kind !== CLASS.IN && rdata.length === 0) || isRdata(type, rdata)
}
