import { readSecretLines, secretFault, type SecretLine } from '../../core/secret-lines.ts'
import type { Fault } from '../../core/trouble.ts'

/** A cookie that is not ours costs a hash for each secret. */
const MOST = 4
const HINT = 'openssl rand -hex 16 makes one'

/**
 * Reads secrets of DNS cookies: 32 hexadecimal digits a line, the one that makes cookies first; blank lines and what
 * follows # do not count. No message holds a secret.
 */
export function parseSecrets(file: string, text: string): { secrets: Uint8Array[]; faults: Fault[] } {
  const secrets: Uint8Array[] = []
  const faults: Fault[] = []
  const fault = (at: Pick<SecretLine, 'line' | 'column'>, reason: string, hint?: string): void => void faults.push(secretFault(file, at, reason, hint))
  for (const at of readSecretLines(text)) {
    const { word } = at
    if (!/^[0-9a-f]{32}$/i.test(word)) fault(at, `expected a secret of 32 hexadecimal digits, found ${word.length} characters`, HINT)
    else if (secrets.length === MOST) fault(at, `more than ${MOST} secrets`, 'the first makes cookies; keep beside it only those whose cookies are still about')
    else secrets.push(Buffer.from(word, 'hex'))
  }
  if (secrets.length === 0 && faults.length === 0) fault({ line: 1, column: 1 }, 'holds no secret', HINT)
  return { secrets, faults }
}
