// Names in wire form: labels, each behind its length octet, and a final zero octet; never compressed here.
// Comparison folds ASCII letters only (RFC 4343). Length octets are at most 63, below every letter, so folding never touches them.

/** Octets of the longest name (RFC 1035 §3.1), and of the longest label. */
export const LONGEST_NAME = 255
const LONGEST_LABEL = 63

/** The root: one zero octet. */
export const ROOT: Uint8Array = Uint8Array.of(0)

const DOT = 0x2e
const BACKSLASH = 0x5c

/** What `encodeName` returns in place of a length; `nameFault` says it in words. */
const EMPTY_LABEL = -1
const LONG_LABEL = -2
const LONG_NAME = -3
const BAD_ESCAPE = -4
const NO_ORIGIN = -5
const EMPTY = -6

const REASONS: Record<number, string> = {
  [EMPTY_LABEL]: 'empty label: two dots in a row, or a dot at the start',
  [LONG_LABEL]: 'a label is longer than 63 octets',
  [LONG_NAME]: 'the name is longer than 255 octets',
  [BAD_ESCAPE]: 'a backslash needs a character or three digits from 000 to 255 behind it',
  [NO_ORIGIN]: 'the name has no final dot and there is no origin to complete it',
  [EMPTY]: 'the name is empty'
}

/** The reason behind a negative result of `encodeName`. */
export function nameFault(code: number): string {
  return REASONS[code] ?? 'not a name'
}

/**
 * Writes the name that stands in text[from, to) in wire form to out[at…], which has room for 256 octets.
 * `@` is the origin; a name without final dot is completed by it; \X and \DDD are read (RFC 1035 §5.1).
 * @returns the octets written, or a negative code for `nameFault`
 */
export function encodeName(text: Uint8Array, from: number, to: number, origin: Uint8Array | undefined, out: Uint8Array, at: number): number {
  if (to - from <= 1) {
    if (to === from) return EMPTY
    if (text[from] === DOT) {
      out[at] = 0
      return 1
    }
    if (text[from] === 0x40) return complete(out, at, at, origin)
  }
  let label = at
  let write = at + 1
  for (let read = from; read < to; ) {
    let octet = text[read++]!
    if (write - at >= LONGEST_NAME) return LONG_NAME
    if (octet === DOT) {
      if (write === label + 1) return EMPTY_LABEL
      out[label] = write - label - 1
      label = write++
      continue
    }
    if (octet === BACKSLASH) {
      octet = escaped(text, read, to)
      if (octet < 0) return BAD_ESCAPE
      read += isDigit(text[read]!) ? 3 : 1
    }
    if (write - label > LONGEST_LABEL) return LONG_LABEL
    out[write++] = octet
  }
  if (write === label + 1) {
    out[label] = 0
    return write - at
  }
  out[label] = write - label - 1
  return complete(out, at, write, origin)
}

function complete(out: Uint8Array, at: number, write: number, origin: Uint8Array | undefined): number {
  if (origin === undefined) return NO_ORIGIN
  const length = origin.length
  if (write - at + length > LONGEST_NAME) return LONG_NAME
  for (let octet = 0; octet < length; octet++) out[write + octet] = origin[octet]!
  return write - at + length
}

/** The octet that the escape behind the backslash at `read - 1` stands for, or -1. */
export function escaped(text: Uint8Array, read: number, to: number): number {
  if (read >= to) return -1
  const first = text[read]!
  if (!isDigit(first)) return first
  if (read + 2 >= to || !isDigit(text[read + 1]!) || !isDigit(text[read + 2]!)) return -1
  const value = (first - 48) * 100 + (text[read + 1]! - 48) * 10 + text[read + 2]! - 48
  return value > 255 ? -1 : value
}

function isDigit(octet: number): boolean {
  return octet >= 48 && octet <= 57
}

/**
 * A name of a zone file or command line in wire form: `www.example.com.`, or relative to `origin` without the final dot.
 * Without `origin`, a missing final dot is taken as meant. Non-ASCII text counts as UTF-8 octets.
 * @returns the wire form, or the reason why it is none
 */
export function nameFromText(text: string, origin: Uint8Array = ROOT): Uint8Array | string {
  const octets = new TextEncoder().encode(text)
  const out = new Uint8Array(LONGEST_NAME + 1)
  const length = encodeName(octets, 0, octets.length, origin, out, 0)
  return length < 0 ? nameFault(length) : out.slice(0, length)
}

/** The text of the name at wire[at…], with its final dot, escaped so that it reads back as it is (RFC 1035 §5.1, RFC 4343 §2.1). */
export function nameToText(wire: Uint8Array, at = 0): string {
  let text = ''
  for (let read = at; read < wire.length; ) {
    const length = wire[read++]!
    if (length === 0) break
    for (const end = Math.min(wire.length, read + length); read < end; read++) text += octetText(wire[read]!)
    text += '.'
  }
  return text === '' ? '.' : text
}

function octetText(octet: number): string {
  if (octet < 0x21 || octet > 0x7e) return `\\${String(octet).padStart(3, '0')}`
  const character = String.fromCharCode(octet)
  return '."$();@\\'.includes(character) ? `\\${character}` : character
}

/** Octets of the name at wire[at…], its final zero octet included. */
export function nameLength(wire: Uint8Array, at = 0): number {
  let read = at
  while (wire[read]! > 0) read += wire[read]! + 1
  return read + 1 - at
}

/** ASCII letters in lower case, every other octet as it is. */
export function lowerOctet(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet
}

/** Whether `child` is `parent` or stands beneath it, case folded. */
export function isSubdomain(child: Uint8Array, parent: Uint8Array): boolean {
  const cut = child.length - parent.length
  if (cut < 0 || !endsAlike(child, parent)) return false
  let at = 0
  while (at < cut) at += child[at]! + 1
  return at === cut
}

function endsAlike(a: Uint8Array, b: Uint8Array): boolean {
  for (let back = 1; back <= b.length; back++) {
    if (lowerOctet(a[a.length - back]!) !== lowerOctet(b[b.length - back]!)) return false
  }
  return true
}

/** Labels of a name; the root has none. */
export function labelCount(wire: Uint8Array): number {
  let count = 0
  for (let at = 0; wire[at]! > 0; at += wire[at]! + 1) count++
  return count
}
