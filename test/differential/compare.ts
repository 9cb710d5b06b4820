import { TYPE, typeToText } from '../../daemon/wire/types.ts'
import type { Reply } from './ask.ts'
import { isUnder, readMessage, type Message, type Rr } from '../helpers/message.ts'
import type { Question } from './questions.ts'
import type { Peer } from './servers.ts'

/** What a reply says, each part as a text that can be compared. */
export type Said = Readonly<Record<Part, string>>
const PARTS = ['outcome', 'rcode', 'flags', 'question', 'edns', 'answer', 'authority', 'glue', 'additional'] as const
export type Part = (typeof PARTS)[number]

/** A part in which Nearcast is unlike the peers. */
export interface Difference {
  /** `agreed`: the peers say all the same; `alone`: they do not, and Nearcast says what none of them does. */
  readonly kind: 'agreed' | 'alone'
  readonly part: Part
  readonly peers: Readonly<Record<string, string>>
  readonly ours: string
}

const NOTHING: Said = { outcome: '', rcode: '', flags: '', question: '', edns: '', answer: '', authority: '', glue: '', additional: '' }

/** What of a reply is to be compared. */
export function sayReply(question: Question, reply: Reply): Said {
  if (!Buffer.isBuffer(reply)) return { ...NOTHING, outcome: reply }
  let message: Message
  try {
    message = readMessage(reply)
  } catch (error) {
    return { ...NOTHING, outcome: `unreadable: ${(error as Error).message}` }
  }
  const { flags, rcode, answer, authority, additional, opt, id } = message
  const sent = question.asks === undefined ? undefined : question.bytes.toString('hex', 12, question.bytes.length - (question.asks.edns === undefined ? 0 : 11))
  const isReferral = authority.some(({ type }) => type === TYPE.NS) && !authority.some(({ type }) => type === TYPE.SOA) && ((flags & 0x400) === 0 || leadsBelow(answer, authority))
  const cuts = authority.filter(({ type }) => type === TYPE.NS)
  const isAddress = ({ type }: Rr): boolean => type === TYPE.A || type === TYPE.AAAA
  const isNeeded = (rr: Rr): boolean => isAddress(rr) && cuts.some(({ owner, target }) => target === rr.owner && isUnder(rr.owner, owner))
  return {
    outcome: id === question.bytes.readUInt16BE(0) ? 'answer' : 'another id',
    rcode: String(rcode),
    flags: (flags & 0x7ff0).toString(16),
    question: message.question === undefined ? 'none' : message.question === sent || sent === undefined ? 'same' : 'changed',
    edns: opt === undefined ? '' : `${(opt.ttl >>> 16) & 0xff} ${opt.ttl & 0xffff}`,
    answer: listRecords(answer),
    // NS beside an answer is decoration that each server has its own mind about.
    authority: listRecords(answer.length === 0 || isReferral || rcode !== 0 ? authority : authority.filter(({ type }) => type !== TYPE.NS)),
    glue: isReferral ? listRecords(additional.filter(isNeeded)) : '',
    additional: listRecords(additional.filter((rr) => isAddress(rr) && !isNeeded(rr)))
  }
}

/** Whether the aliases of an answer lead into what its authority section delegates. */
function leadsBelow(answer: readonly Rr[], authority: readonly Rr[]): boolean {
  const targets = answer.flatMap(({ type, target }) => (type === TYPE.CNAME ? [target!] : []))
  const last = targets.filter((target) => !answer.some(({ owner }) => owner === target))
  return last.some((target) => authority.some(({ owner, type }) => type === TYPE.NS && isUnder(target, owner)))
}

function listRecords(records: readonly Rr[]): string {
  return records.map(({ owner, type, class: klass, ttl, data }) => `${owner} ${ttl} ${klass} ${typeToText(type)} ${data}`).toSorted().join('\n')
}

/** Where Nearcast is unlike the peers. */
export function compare(question: Question, peers: Readonly<Record<Peer, Reply>>, ours: Reply): Difference[] {
  const said = Object.entries(peers).map(([peer, reply]) => [peer, sayReply(question, reply)] as const)
  const mine = sayReply(question, ours)
  const parts = question.asks === undefined ? (['outcome', 'rcode'] as const) : PARTS
  const found: Difference[] = []
  for (const part of parts) {
    if (part === 'additional' || said.some(([, each]) => each[part] === mine[part])) continue
    const isAgreed = new Set(said.map(([, each]) => each[part])).size === 1
    found.push({ kind: isAgreed ? 'agreed' : 'alone', part, peers: Object.fromEntries(said.map(([peer, each]) => [peer, each[part]])), ours: mine[part] })
    // What follows from another outcome is no difference of its own.
    if (part === 'outcome' || part === 'rcode') break
  }
  return found
}

/** What is wrong with a reply whatever anybody else says: it breaks a rule of the RFCs. */
export function lint(question: Question, reply: Reply): string[] {
  if (!Buffer.isBuffer(reply)) return []
  let message: Message
  try {
    message = readMessage(reply)
  } catch (error) {
    return [`unreadable: ${(error as Error).message}`]
  }
  const wrong: string[] = []
  const { answer, authority, additional, opt, flags } = message
  const most = question.transport === 'tcp' ? 65_535 : Math.min(1232, Math.max(512, question.asks?.edns ?? 512))
  if (question.asks !== undefined && reply.length > most) wrong.push(`${reply.length} octets, ${most} at most`)
  if (opt !== undefined && question.asks !== undefined && question.asks.edns === undefined) wrong.push('an OPT that was not asked for')
  if ((flags & 0x80) !== 0) wrong.push('RA')
  for (const section of [answer, authority, additional]) {
    const sets = new Map<string, { ttl: number; last: number; seen: Set<string> }>()
    for (const [index, { owner, type, ttl, data }] of section.entries()) {
      const key = `${owner} ${typeToText(type)}`
      const set = sets.get(key) ?? { ttl, last: index - 1, seen: new Set() }
      if (set.ttl !== ttl) wrong.push(`two TTLs in ${key}`)
      if (set.last !== index - 1) wrong.push(`${key} in two places`)
      if (set.seen.has(data)) wrong.push(`${key} twice the same`)
      set.seen.add(data)
      sets.set(key, { ...set, last: index })
    }
  }
  return [...new Set(wrong)]
}
