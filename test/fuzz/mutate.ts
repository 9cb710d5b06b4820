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

const MESSAGE_PIECES = [
  '\r\n', '\r', '\n', '\r\n\r\n', ' ', '\t', ':', ',', ';', '"', '\0', '\x7f', '\xff', '0\r\n\r\n', 'Content-Length: 3\r\n', 'Content-Length: -1\r\n', 'Content-Length: 99999999999999999999\r\n', 'Content-Length: 1e3\r\n', 'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding : chunked\r\n', 'Connection: close\r\n', 'Connection: keep-alive, x-for, content-length\r\n', 'Content-Range: bytes 5-1/3\r\n', 'Content-Range: bytes 0-9/*\r\n', 'Vary: *\r\n', 'Age: -1\r\n', 'Age: 5, 6\r\n', 'ffffffffffff\r\n', '-1\r\n', 'HTTP/1.1 ', 'HTTP/2 ', '000', '199',
  '304', '206', '204', '600', 'X: '.padEnd(9000, 'y') + '\r\n', 'Cache-Control: max-age=60, stale-while-revalidate=60\r\n', 'Content-Encoding: gzip\r\n', 'Cache-Control: max-age=\r\n', 'X-Nearcast-Tier: 1\r\n', 'Cache-Status: a; hit, b\r\n', '__proto__: 1\r\n', 'Set-Cookie\r\n'
]

/** A message of HTTP with pieces put in, taken out, changed, or joined with another. */
export function mutateMessage(random: Random, messages: readonly string[]): string {
  let out = random.pick(messages)
  for (let left = 1 + random.below(4); left > 0; left--) {
    const at = random.below(out.length + 1)
    switch (random.below(8)) {
      case 0: out = out.slice(0, at) + random.pick(MESSAGE_PIECES) + out.slice(at); break
      case 1: out = out.slice(0, at) + out.slice(at + 1 + random.below(4)); break
      case 2: out = out.slice(0, at) + String.fromCharCode(random.below(256)) + out.slice(at + 1); break
      case 3: out = out.slice(0, at); break
      case 4: out = out.slice(0, at) + out.slice(random.below(out.length + 1)); break
      case 5: out = out.slice(0, at) + random.pick(messages).slice(at); break
      default: {
        // Fields are where most is decided.
        const lines = out.split('\r\n')
        lines.splice(1 + random.below(lines.length), random.below(2), random.pick(MESSAGE_PIECES).replace(/\r\n$/, ''))
        out = lines.join('\r\n')
      }
    }
  }
  return out.slice(0, 32_768)
}
