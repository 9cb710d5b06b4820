import { HAND_OVER, type Gate } from '../answer/index.ts'
import { CLASS, nameToText, OPCODE, RCODE, TYPE } from '../wire/index.ts'
import { isAllowed, mayTransfer, type Rules } from './rules.ts'

/**
 * What a serving thread hands over to the exchange: what some rule may allow. A signature counts by the name of its key alone;
 * the exchange verifies it, and then says of everything that is signed what is to be said.
 */
export function makeGate(rules: Rules): Gate {
  const keys = new Set(rules.keys.keys())
  const takesUpdates = [...rules.zones.values()].some(({ update }) => update.length > 0)
  return (query, bytes, { family, bytes: addresses, at }, transport, isZone) => {
    if (query.tsigAt !== 0) return keys.size > 0 && keys.has(keyName(bytes, query.tsigAt)) ? HAND_OVER : RCODE.BADKEY
    const zone = (): string => nameToText(query.name.lower.subarray(0, query.name.length))
    const source = { family, bytes: addresses.subarray(at, at + (family === 4 ? 4 : 16)) }
    switch (query.opcode) {
      case OPCODE.QUERY:
        // A whole zone has no form over UDP (RFC 5936 §4.2), and a name that is no zone's has none to give (§2.2.1).
        if (query.type === TYPE.AXFR && transport === 'udp') return RCODE.NOTIMP
        if (!isZone) return RCODE.NOTAUTH
        return mayTransfer(rules, zone(), source, undefined) ? HAND_OVER : RCODE.REFUSED
      case OPCODE.NOTIFY: {
        // An unsigned hint from a primary's address does no harm: it makes us ask (RFC 1996 §3.10).
        const primaries = rules.zones.get(zone())?.primaries ?? []
        return isAllowed(primaries.map(({ address }) => ({ prefix: { ...address, length: address.bytes.length * 8 } })), source, undefined) ? HAND_OVER : RCODE.NOTAUTH
      }
      default:
        if (!takesUpdates || query.class !== CLASS.IN) return RCODE.NOTIMP
        if (query.type !== TYPE.SOA) return RCODE.FORMERR
        // Every rule asks for a key.
        return isZone ? RCODE.REFUSED : RCODE.NOTAUTH
    }
  }
}

function keyName(bytes: Uint8Array, at: number): string {
  return nameToText(bytes, at).toLowerCase()
}
