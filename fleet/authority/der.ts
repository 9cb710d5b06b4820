// DER, the encoding of certificates (ITU-T X.690), as far as they need it. Each function returns a whole element.

const element = (tag: number, content: Buffer): Buffer => Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content])

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length])
  const octets: number[] = []
  for (let left = length; left > 0; left = Math.floor(left / 256)) octets.unshift(left % 256)
  return Buffer.from([0x80 | octets.length, ...octets])
}

export const sequence = (...parts: readonly Buffer[]): Buffer => element(0x30, Buffer.concat(parts))
export const set = (...parts: readonly Buffer[]): Buffer => element(0x31, Buffer.concat(parts))
export const boolean = (value: boolean): Buffer => element(0x01, Buffer.from([value ? 0xff : 0]))
export const octetString = (octets: Buffer): Buffer => element(0x04, octets)
export const utf8 = (text: string): Buffer => element(0x0c, Buffer.from(text, 'utf8'))

/** A whole number that is not negative, its most significant octet first. */
export function integer(octets: Buffer): Buffer {
  let start = 0
  while (start < octets.length - 1 && octets[start] === 0) start++
  const value = octets.subarray(start)
  return element(0x02, value[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), value]) : value)
}

/** @param unused bits of the last octet that do not count */
export const bitString = (octets: Buffer, unused = 0): Buffer => element(0x03, Buffer.concat([Buffer.from([unused]), octets]))

/** An object identifier, such as `2.5.29.15`. */
export function oid(text: string): Buffer {
  const [first, second, ...rest] = text.split('.').map(Number)
  const octets = [first! * 40 + second!]
  for (const arc of rest) {
    const septets = [arc % 128]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) septets.unshift(0x80 | (left % 128))
    octets.push(...septets)
  }
  return element(0x06, Buffer.from(octets))
}

/** A moment in milliseconds, to the second: UTCTime until 2049, GeneralizedTime from then on (RFC 5280 §4.1.2.5). */
export function time(moment: number): Buffer {
  const digits = new Date(moment).toISOString().replaceAll(/\.\d+|[-:T]/g, '')
  return digits < '2050' ? element(0x17, Buffer.from(digits.slice(2))) : element(0x18, Buffer.from(digits))
}

/** `[number]` around an element. */
export const explicit = (number: number, content: Buffer): Buffer => element(0xa0 | number, content)
/** `[number]` in the place of the tag of something that is no structure. */
export const implicit = (number: number, content: Buffer): Buffer => element(0x80 | number, content)
