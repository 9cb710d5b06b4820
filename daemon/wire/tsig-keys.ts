import { createSecretKey } from 'node:crypto'
import { suggestion } from '../../core/suggest.ts'
import { whyUnreadable, type Fault } from '../../core/trouble.ts'
import { nameFromText, nameToText } from './name.ts'
import { LOWER } from './scan.ts'
import { ALGORITHMS, type TsigKey, type TsigKeys } from './tsig-record.ts'

// Key files in BIND's syntax, as tsig-keygen writes them:
//
//   key "transfer" { algorithm hmac-sha256; secret "c2VjcmV0…"; };
//
// A secret is never shown, not in a fault either: no word is repeated that could be one.

interface Token {
  readonly kind: 'word' | 'string' | 'mark' | 'end'
  readonly text: string
  readonly at: number
}

interface Reading {
  readonly file: string
  readonly text: string
  readonly tokens: readonly Token[]
  next: number
  readonly faults: Fault[]
}

/** The keys of several files, and every fault in them. `read` gets a path and throws what the disk says. */
export function readKeyFiles(files: readonly string[], read: (file: string) => string): { readonly keys: TsigKeys; readonly faults: readonly Fault[] } {
  const keys = new Map<string, TsigKey>()
  const faults: Fault[] = []
  const places = new Map<string, string>()
  for (const file of files) {
    let text: string
    try {
      text = read(file)
    } catch (error) {
      faults.push({ file, line: 1, column: 1, severity: 'error', reason: `cannot be read: ${whyUnreadable(error)}` })
      continue
    }
    const parsed = parseKeys(file, text, places)
    faults.push(...parsed.faults)
    for (const [name, key] of parsed.keys) keys.set(name, key)
  }
  return { keys, faults }
}

/**
 * Reads the text of one key file.
 * @param places names that are taken, and where; those of this file are added
 */
export function parseKeys(file: string, text: string, places = new Map<string, string>()): { readonly keys: TsigKeys; readonly faults: readonly Fault[] } {
  const faults: Fault[] = []
  const reading: Reading = { file, text, tokens: [], next: 0, faults }
  const read: Reading = { ...reading, tokens: tokensOf(reading) }
  const keys = new Map<string, TsigKey>()
  while (peek(read).kind !== 'end') {
    const head = take(read)
    if (head.text === ';' && head.kind === 'mark') continue
    if (head.kind === 'word' && head.text === 'key') readKey(read, keys, places)
    else {
      fault(read, head.at, ...strange(head))
      skip(read)
    }
  }
  return { keys, faults }
}

function strange(head: Token): [reason: string, hint: string] {
  if (head.kind === 'word' && head.text === 'include') return ['include is not followed', 'name each file in the list of key files']
  const word = head.kind === 'word' && /^[a-z-]{2,24}$/.test(head.text) ? `${head.text} does not belong in a file of keys` : 'expected key'
  return [word, 'a file of keys has statements such as key "name" { algorithm hmac-sha256; secret "…"; };']
}

function readKey(read: Reading, keys: Map<string, TsigKey>, places: Map<string, string>): void {
  const named = take(read)
  const name = named.kind === 'mark' || named.kind === 'end' ? 'expected the name of a key' : nameFromText(named.text)
  if (typeof name === 'string') {
    fault(read, named.at, name)
    if (named.text !== ';') skip(read, named.text === '{' ? 1 : 0)
    return
  }
  if (peek(read).text !== '{') {
    fault(read, peek(read).at, 'expected { after the name of the key')
    skip(read)
    return
  }
  take(read)
  const body = readBody(read)
  if (body === undefined) return
  const lower = name.map((octet) => LOWER[octet]!)
  const text = nameToText(lower)
  const missing = ([['algorithm', body.algorithm], ['secret', body.secret]] as const).filter(([, value]) => value === undefined && !body.faulty)
  for (const [what] of missing) fault(read, named.at, `key ${text} has no ${what}`)
  const place = `${read.file}:${position(read, named.at).line}`
  const other = places.get(text)
  if (other !== undefined) fault(read, named.at, `key ${text} stands in ${other} already`)
  places.set(text, other ?? place)
  if (body.algorithm === undefined || body.secret === undefined || other !== undefined) return
  warnOfShort(read, named.at, text, body.algorithm, body.secret)
  keys.set(text, { name: lower, algorithm: ALGORITHMS.get(body.algorithm)!, secret: createSecretKey(body.secret) })
}

/** A secret ought to be as long as what is made with it (RFC 8945 §8, RFC 2104 §3); one under half of that is warned of. */
function warnOfShort(read: Reading, at: number, name: string, algorithm: string, secret: Buffer): void {
  const octets = Number(/\d+$/.exec(algorithm)![0]) / 8
  if (secret.length * 2 >= octets) return
  const reason = `the secret of key ${name} has ${secret.length} octets, and ${algorithm} wants ${octets}: whoever sees a signature may find it by trying`
  read.faults.push({ file: read.file, ...position(read, at), severity: 'warning', reason, hint: `tsig-keygen -a ${algorithm} makes one, for both servers` })
}

interface Body {
  algorithm?: string
  secret?: Buffer
  faulty: boolean
}

/** What stands between the braces, and the semicolon behind them; undefined when the file ends in it. */
function readBody(read: Reading): Body | undefined {
  const body: Body = { faulty: false }
  const seen = new Set<string>()
  const wrong = (at: number, reason: string, hint?: string): void => {
    body.faulty = true
    fault(read, at, reason, hint)
  }
  for (;;) {
    const head = take(read)
    if (head.kind === 'end') {
      wrong(head.at, 'the file ends within a key', 'a key ends with };')
      return undefined
    }
    if (head.kind === 'mark') {
      if (head.text === '}') break
      if (head.text === '{') wrong(head.at, 'expected algorithm or secret')
      continue
    }
    if (head.text !== 'algorithm' && head.text !== 'secret') {
      wrong(head.at, 'expected algorithm or secret', /^[a-z]{3,12}$/.test(head.text) ? suggestion(head.text, ['algorithm', 'secret']) : undefined)
      skip(read)
      continue
    }
    if (seen.has(head.text)) wrong(head.at, `${head.text} stands here twice`)
    seen.add(head.text)
    const value = peek(read)
    if (value.kind === 'mark' || value.kind === 'end') wrong(value.at, `expected a value after ${head.text}`)
    else readValue(body, head.text, take(read), wrong)
    endStatement(read, head.text, wrong)
  }
  if (peek(read).text === ';') take(read)
  else fault(read, peek(read).at, 'expected ; after the }', 'a key ends with };')
  return body
}

function endStatement(read: Reading, what: string, wrong: (at: number, reason: string) => void): void {
  const after = peek(read)
  // The fault of a file that ends here is another.
  if (after.kind === 'end') return
  if (after.kind === 'mark' && after.text === ';') {
    take(read)
    return
  }
  wrong(after.at, `expected ; after the value of ${what}`)
  if (after.text !== '}') skip(read)
}

function readValue(body: Body, what: 'algorithm' | 'secret', { text, at }: Token, wrong: (at: number, reason: string, hint?: string) => void): void {
  if (what === 'algorithm') {
    const name = text.toLowerCase().replace(/\.$/, '')
    if (ALGORITHMS.has(name)) body.algorithm = name
    else wrong(at, ...unknownAlgorithm(name))
    return
  }
  const plain = text.replace(/\s/g, '')
  const octets = Buffer.from(plain, 'base64')
  if (plain === '' || octets.toString('base64').replace(/=+$/, '') !== plain.replace(/=+$/, '')) wrong(at, 'the secret is not base64', 'tsig-keygen makes one')
  else body.secret = octets
}

function unknownAlgorithm(name: string): [reason: string, hint: string] {
  const known = [...ALGORITHMS.keys()]
  if (/^hmac-(md5|sha1|sha224)/.test(name)) return [`${/^hmac-[a-z0-9]+/.exec(name)![0]} is too weak to be taken`, 'make a new key with hmac-sha256 on both servers']
  if (/^hmac-sha(256|384|512)-\d+$/.test(name)) return ['signatures are not cut short', `use ${name.replace(/-\d+$/, '')} on both servers`]
  // Anything else might be the secret in the wrong place.
  return [/^(hmac|gss)[a-z0-9-]{1,16}$/.test(name) ? `there is no algorithm ${name}` : 'there is no such algorithm', `known: ${known.join(', ')}`]
}

function peek(read: Reading): Token {
  return read.tokens[read.next]!
}

function take(read: Reading): Token {
  const token = peek(read)
  if (token.kind !== 'end') read.next++
  return token
}

/** Past the end of a statement: its semicolon, or the brace that closes what it stands in, which is left. */
function skip(read: Reading, inside = 0): void {
  for (let depth = inside; ; ) {
    const { kind, text } = peek(read)
    if (kind === 'end' || (kind === 'mark' && text === '}' && depth === 0)) return
    read.next++
    if (kind !== 'mark') continue
    if (text === '{') depth++
    else if (text === '}') depth--
    else if (depth === 0) return
  }
}

/** Words, quoted strings and the marks { } ; with comments of all three kinds left out. */
function tokensOf(reading: Reading): Token[] {
  const { text } = reading
  const tokens: Token[] = []
  const pattern = /\/\*[^]*?\*\/|(?:\/\/|#)[^\n]*|"((?:[^"\\\n]|\\[^\n])*)"|[{};]|\/\*|"|[^\s{};"#]+?(?=\/\/|\/\*|[\s{};"#]|$)/g
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const [whole, string] = match
    const at = match.index
    if (string !== undefined) tokens.push({ kind: 'string', text: string.replace(/\\(.)/g, '$1'), at })
    else if (whole === '/*' || whole === '"') {
      fault(reading, at, whole === '"' ? 'this string is not ended on its line' : 'this comment is not ended')
      if (whole === '/*') break
    } else if (!/^(\/\*|\/\/|#)/.test(whole)) tokens.push({ kind: /^[{};]$/.test(whole) ? 'mark' : 'word', text: whole, at })
  }
  return [...tokens, { kind: 'end', text: '', at: text.length }]
}

function fault(read: Reading, at: number, reason: string, hint?: string): void {
  read.faults.push({ file: read.file, ...position(read, at), severity: 'error', reason, ...(hint !== undefined && { hint }) })
}

function position({ text }: Reading, at: number): { line: number; column: number } {
  const before = text.slice(0, at)
  return { line: before.split('\n').length, column: at - before.lastIndexOf('\n') }
}
