import { createHash, createHmac, hash } from 'node:crypto'

const BLOCK = 64
const DIGEST = 32
/** Longer texts are rare, and signed in the usual way. */
const LONGEST = 16 * 1024

/**
 * Signs texts, one character an octet, by HMAC with SHA-256 (RFC 2104), in hexadecimal: many with one key, and short ones, at half the
 * cost of `createHmac`, which makes an object of its own for each.
 */
export function makeHmac(key: Buffer): (text: string) => string {
  const inner = Buffer.alloc(BLOCK + LONGEST)
  const outer = Buffer.alloc(BLOCK + DIGEST)
  const start = key.length > BLOCK ? createHash('sha256').update(key).digest() : key
  for (let at = 0; at < BLOCK; at++) {
    inner[at] = (start[at] ?? 0) ^ 0x36
    outer[at] = (start[at] ?? 0) ^ 0x5c
  }
  return (text) => {
    if (text.length > LONGEST) return createHmac('sha256', key).update(text, 'latin1').digest('hex')
    const size = BLOCK + inner.write(text, BLOCK, 'latin1')
    outer.write(hash('sha256', inner.subarray(0, size), 'binary'), BLOCK, 'latin1')
    return hash('sha256', outer, 'hex')
  }
}
