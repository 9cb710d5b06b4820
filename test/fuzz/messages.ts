import { readMessage } from '../../daemon/wire/message.ts'
import { judgeRequest, makeVerifier, parseKeys, signRequest } from '../../daemon/wire/index.ts'
import { readMessage as readStrictly } from '../helpers/message.ts'
import { Broken, never } from './broken.ts'
import { readPackets } from './corpus.ts'
import { mutatePacket, mutateText } from './mutate.ts'
import type { Subject } from './subject.ts'

/** Feeds changed packets to the reader of whole messages: it reads what the strict reader of the tests reads, and the same in it. */
export function messageSubject(): Subject {
  const packets = readPackets()
  return {
    name: 'messages',
    feed(random) {
      const bytes = mutatePacket(random, packets)
      const message = never('readMessage', bytes, () => readMessage(bytes))
      if (message === undefined) return
      let strictly
      try {
        strictly = readStrictly(Buffer.from(bytes))
      } catch (error) {
        // Where names may be compressed the tests are stricter than a reader has to be.
        if (/two OPT|compressed name|past its RDATA/.test((error as Error).message)) return
        throw new Broken(`readMessage reads what is none: ${(error as Error).message}`, bytes)
      }
      const counted = message.answers.length + message.authorities.length + message.additionals.length
      const wanted = strictly.answer.length + strictly.authority.length + strictly.additional.length + (strictly.opt === undefined ? 0 : 1)
      if (counted !== wanted) throw new Broken(`${counted} records, not ${wanted}`, bytes)
      for (const [index, record] of message.answers.entries()) {
        const { type, ttl, data } = strictly.answer[index]!
        // The strict reader takes RDATA of newer types as it is: their names have no pointers (RFC 3597 §4).
        if (type > 58) continue
        const same = record.type === type && record.ttl === ttl && Buffer.from(record.rdata).toString('hex').length === data.length
        if (!same) throw new Broken(`record ${index} reads as ${record.type} ${record.ttl} ${Buffer.from(record.rdata).toString('hex')}, not ${type} ${ttl} ${data}`, bytes)
      }
    }
  }
}

const NOW = 1_800_000_000
const KEYS = 'key "fuzz" { algorithm hmac-sha256; secret "cOwD1f3fHz3rJ3pZ9l0N2k1m4u5v6w7x8y9zAbCdEfg="; };'

/** Feeds changed signed messages to the judge of signatures: none but the one that was signed is good. */
export function tsigSubject(): Subject {
  const { keys } = parseKeys('fuzz.keys', KEYS)
  const key = [...keys.values()][0]!
  const plain = readPackets().filter((bytes) => readMessage(bytes) !== undefined && bytes[10] === 0 && bytes[11] === 0)
  const signed = plain.map((bytes) => signRequest(bytes, key, NOW).message)
  const known = new Set(signed.map((bytes) => Buffer.from(bytes).toString('hex', 2)))
  return {
    name: 'signatures',
    feed(random) {
      const bytes = mutatePacket(random, signed)
      const judged = never('judgeRequest', bytes, () => judgeRequest(bytes, keys, NOW))
      never('makeVerifier', bytes, () => makeVerifier(key, Uint8Array.of(1, 2, 3))(bytes, NOW))
      // The id may differ from the one that was signed: it stands in the record itself (RFC 8945 §4.2). So may the case of the key's name.
      if (judged.kind === 'signed' && !known.has(Buffer.from(bytes).toString('hex', 2)) && !known.has(lowerNames(bytes, signed))) throw new Broken('a changed message has a good signature', bytes)
    }
  }
}

/** The message as that of the signed ones which differs from it in the case of letters only, or as it is. */
function lowerNames(bytes: Uint8Array, signed: readonly Uint8Array[]): string {
  const fold = (octets: Uint8Array): string => Buffer.from(octets.subarray(2)).toString('latin1').toLowerCase()
  const found = signed.find((each) => each.length === bytes.length && fold(each) === fold(bytes))
  return Buffer.from(found ?? bytes).toString('hex', 2)
}

/** Feeds changed key files to their reader: it tells faults, never throws, and tells no secret. */
export function keysSubject(): Subject {
  return {
    name: 'key files',
    feed(random) {
      const text = mutateText(random, `# comment\n${KEYS}\n/* another */ key other { algorithm hmac-sha512; secret "c2VjcmV0IHNlY3JldCBzZWNyZXQ="; };\n`)
      const { faults } = never('parseKeys', text, () => parseKeys('fuzz.keys', text))
      const told = faults.map(({ reason, hint }) => `${reason} ${hint ?? ''}`).join('\n')
      if (/cOwD1f3fHz3rJ3pZ9l0N|c2VjcmV0IHNl/.test(told)) throw new Broken('a fault tells a secret', text)
    }
  }
}
