import { nearest } from '../../core/suggest.ts'
import { CLASS, classFromText, typeFromText, typeToText } from '../wire/types.ts'
import { type Entry, refuse, tokenText } from './entry.ts'
import { LONGEST_TTL, plainDuration } from './field.ts'
import { type Codec, codecOfToken, ZONE_MNEMONICS } from './rdata.ts'

/** Reads TTL and class, in either order, up to the type. Returns the TTL, or -1 when the record states none. */
export function readTtlAndClass(entry: Entry): number {
  let ttl = -1
  let seenClass = false
  for (; entry.next < entry.count; entry.next++) {
    const token = entry.next
    const start = entry.starts[token]!
    const first = entry.text[start]!
    if (first >= 48 && first <= 57 && ttl < 0) {
      const value = plainDuration(entry, token, LONGEST_TTL)
      if (value === -1) break
      if (value < 0) {
        refuse(entry, token, `a TTL of ${tokenText(entry, token)} is above the longest, 2147483647 seconds`)
        return -1
      }
      ttl = value
    } else if (!seenClass && (first | 0x20) === 0x69 && (entry.text[start + 1]! | 0x20) === 0x6e && entry.ends[token] === start + 2) seenClass = true
    else if (!seenClass && isClass(entry, token)) {
      if (classFromText(tokenText(entry, token)) !== CLASS.IN) {
        refuse(entry, token, `class ${tokenText(entry, token)}: a zone is of class IN`)
        return -1
      }
      seenClass = true
    } else break
  }
  return ttl
}

function isClass(entry: Entry, token: number): boolean {
  const first = entry.text[entry.starts[token]!]! | 0x20
  if (first !== 0x63 && first !== 0x68 && first !== 0x6e) return false
  const text = tokenText(entry, token)
  return text.toUpperCase() === 'CS' || (classFromText(text) !== undefined && codecOfToken(entry, token) === undefined)
}

/** The codec of the type that the next token names; undefined with entry.wrong set when it names none. */
export function readType(entry: Entry): Codec | undefined {
  if (entry.next >= entry.count) {
    refuse(entry, entry.count, 'the line ends where a type is expected', isTypeAtMargin(entry) ? INDENT : undefined)
    return undefined
  }
  const token = entry.next++
  const codec = codecOfToken(entry, token)
  if (codec !== undefined) return codec
  const found = tokenText(entry, token)
  const number = typeFromText(found)
  if (number !== undefined) refuse(entry, token, `${typeToText(number)} is no data of a zone`)
  else refuse(entry, token, `expected a type, found ${found}`, () => typeHint(entry, found))
  return undefined
}

const INDENT = 'a line that repeats the owner before it begins with a blank'

/** The line begins with what looks like a type, in upper case, and has none after it. */
function isTypeAtMargin(entry: Entry): boolean {
  if (entry.indented || codecOfToken(entry, 0)?.mnemonic !== tokenText(entry, 0)) return false
  for (let token = 1; token < entry.count; token++) if (codecOfToken(entry, token) !== undefined) return false
  return true
}

function typeHint(entry: Entry, found: string): string | undefined {
  if (isTypeAtMargin(entry)) return INDENT
  if (/^\d+\.\d+\.\d+\.\d+$/.test(found)) return `did you mean A ${found}?`
  if (/^[\da-f]*:[\da-f:]+$/i.test(found)) return `did you mean AAAA ${found}?`
  if (/^\d/.test(found)) return 'a TTL is seconds such as 3600, or with units such as 1h30m'
  const near = nearest(found, ZONE_MNEMONICS)
  return near === undefined ? 'types without a name here are written TYPE65534 \\# 4 0A000001' : `did you mean ${near}?`
}
