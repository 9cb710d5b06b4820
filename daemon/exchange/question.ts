import { CLASS, TYPE } from '../wire/index.ts'

/** RFC 1996 §3.3. */
export const OPCODE_NOTIFY = 4

export interface QuestionOptions {
  readonly id: number
  /** Wire form. */
  readonly name: Uint8Array
  readonly type: number
  /** RDATA of a SOA of that name: in the authority section of an IXFR, in the answer section of a NOTIFY. */
  readonly soa?: Uint8Array
  readonly opcode?: number
}

/** A message that asks another server something, not yet signed. */
export function makeQuestion({ id, name, type, soa, opcode = 0 }: QuestionOptions): Uint8Array {
  const isNotify = opcode === OPCODE_NOTIFY
  const record = soa === undefined ? [] : [Uint8Array.of(0xc0, 12, 0, TYPE.SOA, 0, CLASS.IN, 0, 0, 0, 0, soa.length >>> 8, soa.length), soa]
  const [answers, authorities] = soa === undefined ? [0, 0] : isNotify ? [1, 0] : [0, 1]
  // NOTIFY speaks with authority (RFC 1996 §3.6).
  const head = Uint8Array.of(id >>> 8, id, (opcode << 3) | (isNotify ? 4 : 0), 0, 0, 1, 0, answers, 0, authorities, 0, 0)
  return Buffer.concat([head, name, Uint8Array.of(type >>> 8, type, 0, CLASS.IN), ...record])
}

const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'YXDOMAIN', 'YXRRSET', 'NXRRSET', 'NOTAUTH', 'NOTZONE']

export function rcodeText(rcode: number): string {
  return RCODES[rcode] ?? `RCODE ${rcode}`
}
