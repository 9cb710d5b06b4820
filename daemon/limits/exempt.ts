import { ipv4Number, type Prefix } from '../../core/address.ts'

/** Prefixes whose clients are not limited, in words: of each its length and up to four words of address. */
export interface Exempt {
  readonly four: Int32Array
  readonly six: Int32Array
}

export function makeExempt(prefixes: readonly Prefix[]): Exempt {
  const words = ({ bytes }: Prefix): number[] => Array.from({ length: bytes.length / 4 }, (_, word) => ipv4Number(bytes, word * 4))
  const of = (family: 4 | 6): Int32Array => Int32Array.from(prefixes.filter((prefix) => prefix.family === family).flatMap((prefix) => [prefix.length, ...words(prefix)]))
  return { four: of(4), six: of(6) }
}

/** Whether an address, `octets` at `at`, lies in one of them. */
export function isExempt(exempt: Exempt, family: 4 | 6, bytes: Uint8Array, at: number): boolean {
  const list = family === 4 ? exempt.four : exempt.six
  const size = family === 4 ? 2 : 5
  for (let entry = 0; entry < list.length; entry += size) {
    let left = list[entry]!
    let word = 0
    for (; left > 0; word++, left -= 32) {
      const differs = ipv4Number(bytes, at + word * 4) ^ list[entry + 1 + word]!
      if ((left >= 32 ? differs : differs >>> (32 - left)) !== 0) break
    }
    if (left <= 0) return true
  }
  return false
}
