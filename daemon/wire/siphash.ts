/** A SipHash key: 16 octets as four 32-bit words, the least significant octet first. */
export function sipHashKey(octets: Uint8Array): Int32Array {
  const view = new DataView(octets.buffer, octets.byteOffset, 16)
  return Int32Array.from({ length: 4 }, (_, word) => view.getInt32(word * 4, true))
}

/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012) of a short message, on halves of 32 bits and without allocation.
 * @param words the message as 32-bit words, least significant octet first, with zeros up to a whole number of 8 octets and 8 more
 * @param out gets the lower and the upper half of the hash
 */
export function sipHash24(key: Int32Array, words: Int32Array, octets: number, out: Int32Array): void {
  let v0 = key[0]! ^ 0x70736575
  let w0 = key[1]! ^ 0x736f6d65
  let v1 = key[2]! ^ 0x6e646f6d
  let w1 = key[3]! ^ 0x646f7261
  let v2 = key[0]! ^ 0x6e657261
  let w2 = key[1]! ^ 0x6c796765
  let v3 = key[2]! ^ 0x79746573
  let w3 = key[3]! ^ 0x74656462
  const compressing = (octets >>> 3) * 2 + 2
  let low = 0
  let high = 0
  for (let round = 0; round < compressing + 4; round++) {
    if (round < compressing && (round & 1) === 0) {
      low = words[round]!
      high = words[round + 1]! | (round + 2 === compressing ? octets << 24 : 0)
      v3 ^= low
      w3 ^= high
    } else if (round === compressing) v2 ^= 0xff
    // The upper halves are in w: v0 is w0 v0. A carry is seen in a sum that is less than what was added to.
    let sum = (v0 + v1) | 0
    w0 = (w0 + w1 + (sum >>> 0 < v0 >>> 0 ? 1 : 0)) | 0
    v0 = sum
    let turned = (v1 << 13) | (w1 >>> 19)
    w1 = ((w1 << 13) | (v1 >>> 19)) ^ w0
    v1 = turned ^ v0
    sum = v0
    v0 = w0
    w0 = sum
    sum = (v2 + v3) | 0
    w2 = (w2 + w3 + (sum >>> 0 < v2 >>> 0 ? 1 : 0)) | 0
    v2 = sum
    turned = (v3 << 16) | (w3 >>> 16)
    w3 = ((w3 << 16) | (v3 >>> 16)) ^ w2
    v3 = turned ^ v2
    sum = (v0 + v3) | 0
    w0 = (w0 + w3 + (sum >>> 0 < v0 >>> 0 ? 1 : 0)) | 0
    v0 = sum
    turned = (v3 << 21) | (w3 >>> 11)
    w3 = ((w3 << 21) | (v3 >>> 11)) ^ w0
    v3 = turned ^ v0
    sum = (v2 + v1) | 0
    w2 = (w2 + w1 + (sum >>> 0 < v2 >>> 0 ? 1 : 0)) | 0
    v2 = sum
    turned = (v1 << 17) | (w1 >>> 15)
    w1 = ((w1 << 17) | (v1 >>> 15)) ^ w2
    v1 = turned ^ v2
    sum = v2
    v2 = w2
    w2 = sum
    if (round < compressing && (round & 1) === 1) {
      v0 ^= low
      w0 ^= high
    }
  }
  out[0] = v0 ^ v1 ^ v2 ^ v3
  out[1] = w0 ^ w1 ^ w2 ^ w3
}
