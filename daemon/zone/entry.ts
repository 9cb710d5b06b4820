// One entry of a master file (RFC 1035 §5.1): the tokens of a line, or of several that parentheses join. There is one mutable entry
// per text that is read, filled again and again: a token is two offsets, and no string is made of it unless a fault shows it.

/** What is wrong, and the offset in the text where it stands. */
export interface Wrong {
  readonly at: number
  readonly reason: string
  /** What was probably meant; worked out only when the fault is shown. */
  readonly hint?: string | (() => string | undefined)
}

export interface Entry {
  readonly text: Uint8Array
  /** Where the next entry is looked for. */
  at: number
  /** Tokens, as [starts, ends) offsets without their quotation marks. */
  count: number
  starts: Int32Array
  ends: Int32Array
  quoted: Uint8Array
  /** The entry begins with a blank: it repeats the owner before it. */
  indented: boolean
  /** The first token that has a quotation mark inside, such as alpn="h2", or -1. */
  innerQuote: number
  /** The token that is read next. */
  next: number
  /** What completes names without final dot. */
  origin: Uint8Array | undefined
  /** The zone's own name, to notice names that end in it twice, and the last token that does, or -1. */
  zone: Uint8Array | undefined
  doubled: number
  /** Without octets above 127 in the text there is none in a name: the last one that has, or -1. */
  readonly ascii: boolean
  foreign: number
  /** Where octets are written: out[write…] has room for whatever this entry can come to. */
  out: Uint8Array
  write: number
  wrong: Wrong | undefined
}

/** `ascii` is whether the text is known to have no octets above 127. */
export function makeEntry(text: Uint8Array, origin?: Uint8Array, ascii = true): Entry {
  const tokens = { starts: new Int32Array(16), ends: new Int32Array(16), quoted: new Uint8Array(16) }
  return { text, at: 0, count: 0, ...tokens, indented: false, innerQuote: -1, next: 0, origin, zone: undefined, doubled: -1, ascii, foreign: -1, out: new Uint8Array(0), write: 0, wrong: undefined }
}

const PLAIN = 0
const BLANK = 1
const NEWLINE = 2
const COMMENT = 3
const OPEN = 4
const CLOSE = 5
const QUOTE = 6
const ESCAPE = 7

const KIND = new Uint8Array(256)
for (const [kind, characters] of [[BLANK, ' \t\r'], [NEWLINE, '\n'], [COMMENT, ';'], [OPEN, '('], [CLOSE, ')'], [QUOTE, '"'], [ESCAPE, '\\']] as const) {
  for (const character of characters) KIND[character.charCodeAt(0)] = kind
}

// More than any record needs: 65535 octets of data, each written as four characters or as two tokens.
const MOST_TOKENS = 150_000
const LONGEST = 2 ** 22

/** Octets that what has been read can come to at most: names that the origin completes, hints of addresses, type maps. */
export function roomFor({ count, starts, ends }: Entry): number {
  return (ends[count - 1]! - starts[0]!) * 6 + 12_000
}

/** Fills the entry with the next one of its text; false at the end. Where `wrong` is set, the entry is not to be read. */
export function nextEntry(entry: Entry): boolean {
  const { text } = entry
  const end = text.length
  let at = entry.at
  let open = -1
  entry.count = 0
  entry.next = 0
  entry.innerQuote = -1
  entry.doubled = -1
  entry.foreign = -1
  entry.wrong = undefined
  let margin = at
  while (at < end) {
    const octet = text[at]!
    const kind = KIND[octet]!
    if (kind === BLANK) at++
    else if (kind === NEWLINE) {
      at++
      if (open >= 0) continue
      if (entry.count > 0) break
      margin = at
    } else if (kind === COMMENT) at = lineEnd(text, at)
    else if (kind === OPEN) {
      if (open >= 0) return unclosed(entry, open)
      if (entry.count === 0) entry.indented = at > margin
      open = at++
    } else if (kind === CLOSE) {
      if (open < 0) return skipLine(entry, at, 'a closing parenthesis that none opens')
      open = -1
      at++
    } else {
      if (entry.count === 0 && open < 0) entry.indented = at > margin
      at = kind === QUOTE ? quotedToken(entry, at) : plainToken(entry, at)
      if (at < 0) return true
      if (entry.count > MOST_TOKENS || at - entry.starts[0]! > LONGEST) return open >= 0 ? unclosed(entry, open) : skipLine(entry, at, 'this line is too long for any record')
    }
  }
  if (open >= 0) return unclosed(entry, open)
  entry.at = at
  return entry.count > 0
}

function plainToken(entry: Entry, start: number): number {
  const { text } = entry
  const end = text.length
  let at = start
  for (; at < end; at++) {
    const kind = KIND[text[at]!]!
    if (kind === PLAIN) continue
    if (kind === ESCAPE) {
      at++
      if (at === end || text[at] === 10 || text[at] === 13) return stop(entry, at - 1, 'a backslash at the end of the line')
    } else if (kind === QUOTE) {
      if (entry.innerQuote < 0) entry.innerQuote = entry.count
      at = closingQuote(text, at + 1)
      if (at < 0) return stop(entry, start, 'the quotation mark in this word is not closed on its line')
    } else break
  }
  addToken(entry, start, at, 0)
  return at
}

function quotedToken(entry: Entry, start: number): number {
  const close = closingQuote(entry.text, start + 1)
  if (close < 0) return stop(entry, start, 'this quotation mark is not closed on its line')
  addToken(entry, start + 1, close, 1)
  return close + 1
}

function closingQuote(text: Uint8Array, from: number): number {
  for (let at = from; at < text.length; at++) {
    const octet = text[at]
    if (octet === 0x22) return at
    if (octet === 0x5c) at++
    if (text[at] === 10) return -1
  }
  return -1
}

function addToken(entry: Entry, start: number, end: number, quoted: number): void {
  const { count } = entry
  if (count === entry.starts.length) grow(entry)
  entry.starts[count] = start
  entry.ends[count] = end
  entry.quoted[count] = quoted
  entry.count = count + 1
}

function grow(entry: Entry): void {
  const { starts, ends, quoted } = entry
  entry.starts = new Int32Array(starts.length * 2)
  entry.starts.set(starts)
  entry.ends = new Int32Array(starts.length * 2)
  entry.ends.set(ends)
  entry.quoted = new Uint8Array(starts.length * 2)
  entry.quoted.set(quoted)
}

function lineEnd(text: Uint8Array, from: number): number {
  const found = text.indexOf(10, from)
  return found < 0 ? text.length : found
}

function skipLine(entry: Entry, at: number, reason: string, hint?: string): true {
  entry.at = lineEnd(entry.text, at)
  entry.wrong = hint === undefined ? { at, reason } : { at, reason, hint }
  return true
}

function stop(entry: Entry, at: number, reason: string): -1 {
  skipLine(entry, at, reason)
  return -1
}

/** Goes on behind the lines that the parenthesis was probably meant to join: at the next one that begins at the margin. */
function unclosed(entry: Entry, open: number): true {
  const { text } = entry
  skipLine(entry, open, 'this parenthesis is not closed', 'put ) behind the last token that belongs to it')
  let at = entry.at
  while (at < text.length) {
    const kind = KIND[text[at + 1] ?? 10]!
    if (kind === PLAIN || kind === ESCAPE) break
    at = lineEnd(text, at + 1)
  }
  entry.at = at
  return true
}

/** The offset of the token so many behind the one at `from`, wherever lines and parentheses end. */
export function tokenBehind(text: Uint8Array, from: number, count: number): number {
  const entry = makeEntry(text)
  let at = from
  for (let left = count; at < text.length; ) {
    const kind = KIND[text[at]!]!
    if (kind === COMMENT) at = lineEnd(text, at)
    else if (kind === PLAIN || kind === ESCAPE || kind === QUOTE) {
      if (left-- === 0) return at
      at = kind === QUOTE ? quotedToken(entry, at) : plainToken(entry, at)
      if (at < 0) break
    } else at++
  }
  return from
}

/** Marks what is wrong at a token, or behind the last one when there is none at `token`; always false. */
export function refuse(entry: Entry, token: number, reason: string, hint?: Wrong['hint']): false {
  const at = tokenAt(entry, Math.min(token, entry.count - 1))
  entry.wrong = hint === undefined ? { at, reason } : { at, reason, hint }
  return false
}

/** The offset at which a token begins, its quotation mark included. */
export function tokenAt(entry: Entry, token: number): number {
  return entry.starts[token]! - entry.quoted[token]!
}

const decoder = new TextDecoder()

/** A token as written, cut where it is long, for messages. */
export function tokenText(entry: Entry, token: number): string {
  const text = decoder.decode(entry.text.subarray(entry.starts[token], entry.ends[token]))
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}
