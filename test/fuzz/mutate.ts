import type { Random } from '../helpers/random.ts'

/** Octets that mean something in a packet or in text: pointers, lengths at their bounds, types, classes, quotes, commas, backslashes. */
const TELLING = [0, 1, 2, 12, 16, 28, 34, 41, 44, 63, 92, 64, 0x80, 0xbf, 0xc0, 0xc1, 0xff, 250, 251, 252, 255]

/** A packet with octets changed, put in, taken out, cut off, doubled, or joined with another's. */
export function mutatePacket(random: Random, packets: readonly Uint8Array[]): Uint8Array {
  let out = Buffer.from(random.pick(packets))
  for (let left = random.pick([0, 1, 1, 2, 3, 8]); left > 0; left--) {
    const at = random.below(Math.max(1, out.length))
    switch (random.below(8)) {
      case 0: if (out.length > 0) out[at] = random.below(256); break
      case 1: if (out.length > 0) out[at]! ^= 1 << random.below(8); break
      case 2: if (out.length > 0) out[at] = random.pick(TELLING); break
      case 3: out = out.subarray(0, at); break
      case 4: out = Buffer.concat([out.subarray(0, at), noise(random, 1 + random.below(6)), out.subarray(at)]); break
      case 5: out = Buffer.concat([out.subarray(0, at), out.subarray(Math.min(out.length, at + 1 + random.below(4)))]); break
      case 6: out = Buffer.concat([out.subarray(0, at), out.subarray(random.below(out.length + 1))]); break
      default: {
        const other = random.pick(packets)
        out = Buffer.concat([out.subarray(0, at), other.subarray(random.below(other.length + 1))])
      }
    }
  }
  // Counts that no longer fit are soon refused: set some right.
  if (out.length >= 12 && random.percent(30)) out[2 + random.below(10)] = random.pick([0, 0, 1, 1, 2])
  return Uint8Array.from(out.subarray(0, 4096))
}

function noise(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => (random.percent(50) ? random.pick(TELLING) : random.below(256))))
}

const PIECES = [
  '(', ')', '"', '\\', ';', '\n', '\r\n', ' ', '\t', '@', '.', '..', '*', '$ORIGIN x\n', '$TTL 1h\n', '$GENERATE 1-3 a$ A 192.0.2.$\n', '$INCLUDE other\n', '\\000', '\\256', '\\#', '\\# 0', '\\# 4 01', '-1', '0', '4294967296',
  '65536', '256', 'x'.repeat(64), 'IN', 'CH', 'TYPE65280', 'TYPE0', '1h30m', '99999w', 'A', 'SOA', 'CNAME', 'DNAME', 'NS', '""', '=', ',', '${1,2,x}', '\ufeff', '\0', '\xff', 'ROUTE', 'ALIAS', 'a.'.repeat(130)
]

/** Text with pieces put in, taken out, doubled or moved. */
export function mutateText(random: Random, text: string): string {
  let out = text
  for (let left = 1 + random.below(4); left > 0; left--) {
    const at = random.below(out.length + 1)
    const lines = out.split('\n')
    switch (random.below(7)) {
      case 0: out = out.slice(0, at) + random.pick(PIECES) + out.slice(at); break
      case 1: out = out.slice(0, at) + out.slice(at + 1 + random.below(4)); break
      case 2: out = out.slice(0, at) + String.fromCharCode(random.below(256)) + out.slice(at + 1); break
      case 3: lines.splice(random.below(lines.length), 1); out = lines.join('\n'); break
      case 4: lines.splice(random.below(lines.length), 0, random.pick(lines)); out = lines.join('\n'); break
      case 5: out = out.slice(0, at); break
      default: {
        const words = out.split(' ')
        words[random.below(words.length)] = random.pick(PIECES)
        out = words.join(' ')
      }
    }
    if (out.length > 20_000) out = out.slice(0, 20_000)
  }
  return out
}
