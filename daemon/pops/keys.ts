import { createHash, createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { readSecretLines, secretFault, type SecretLine } from '../../core/secret-lines.ts'
import type { Fault } from '../../core/trouble.ts'

/** A key that all PoPs share. */
export interface PopKey {
  /** 16 hexadecimal digits that tell which key it is, and nothing of the key. */
  readonly id: string
  readonly secret: KeyObject
}

/** For a change of keys two are needed: the new one and the one before. */
const MOST = 4
const SHORTEST = 32
const LONGEST = 128
const HINT = 'openssl rand -hex 32 makes one'

/**
 * Reads the key file of the PoPs: 64 hexadecimal digits or more a line, the key that signs first; blank lines and what follows #
 * do not count. No message holds a key.
 */
export function parsePopKeys(file: string, text: string): { readonly keys: readonly PopKey[]; readonly faults: readonly Fault[] } {
  const keys: PopKey[] = []
  const faults: Fault[] = []
  const lines = new Map<string, number>()
  const fault = (at: Pick<SecretLine, 'line' | 'column'>, reason: string, hint?: string): void => void faults.push(secretFault(file, at, reason, hint))
  for (const at of readSecretLines(text)) {
    const wrong = whyNoKey(at.word)
    if (wrong !== undefined) {
      fault(at, wrong, HINT)
      continue
    }
    const key = keyOf(Buffer.from(at.word, 'hex'))
    const other = lines.get(key.id)
    if (other !== undefined) fault(at, `this key stands in line ${other} already`)
    else if (keys.length === MOST) fault(at, `more than ${MOST} keys`, 'the first signs; keep beside it only those that other PoPs still sign with')
    else keys.push(key)
    lines.set(key.id, other ?? at.line)
  }
  if (keys.length === 0 && faults.length === 0) fault({ line: 1, column: 1 }, 'holds no key', HINT)
  return { keys, faults }
}

/** Keys for others of the same PoPs, as their dead-men: what these sign no daemon takes, wherever it is sent, and the other way round. */
export function keysFor(who: string, now: () => readonly PopKey[]): () => readonly PopKey[] {
  let of: readonly PopKey[] = []
  let made: readonly PopKey[] = []
  return () => {
    const keys = now()
    if (keys !== of) made = keys.map(({ secret }) => keyOf(createHmac('sha256', secret).update(`nearcast pops ${who}\0`).digest()))
    of = keys
    return made
  }
}

/** What is wrong with the mode of a key file: only its owner may read it. */
export function checkKeyMode(file: string, mode: number): Fault[] {
  if ((mode & 0o077) === 0) return []
  return [{ file, line: 1, column: 1, severity: 'error', reason: `holds a key and has mode ${(mode & 0o777).toString(8).padStart(4, '0')}: others than its owner may reach it`, hint: `chmod 600 ${file}` }]
}

function whyNoKey(word: string): string | undefined {
  if (!/^[0-9a-f]+$/i.test(word)) return 'expected hexadecimal digits, and found others'
  if (word.length % 2 === 1) return `expected pairs of hexadecimal digits, found ${word.length}`
  const octets = word.length / 2
  if (octets < SHORTEST) return `expected a key of ${SHORTEST} octets or more, found ${octets}`
  if (octets > LONGEST) return `expected a key of at most ${LONGEST} octets, found ${octets}`
  return /^(..)\1+$/.test(word) ? 'a key of one octet over and over is none' : undefined
}

function keyOf(octets: Uint8Array): PopKey {
  const id = createHash('sha256').update('nearcast pops key id\0').update(octets).digest('hex').slice(0, 16)
  return { id, secret: createSecretKey(octets) }
}
