import type { Fault } from '../../core/trouble.ts'

/** A cookie that is not ours costs a hash for each secret. */
const MOST = 4

/**
 * Reads secrets of DNS cookies: 32 hexadecimal digits a line, the one that makes cookies first; blank lines and what
 * follows # do not count. No message holds a secret.
 */
export function parseSecrets(file: string, text: string): { secrets: Uint8Array[]; faults: Fault[] } {
  const secrets: Uint8Array[] = []
  const faults: Fault[] = []
  const fault = (line: number, column: number, reason: string, hint?: string): void => void faults.push({ file, line, column, severity: 'error', reason, ...(hint !== undefined && { hint }) })
  for (const [index, whole] of text.split('\n').entries()) {
    const line = whole.replace(/#.*/, '')
    const word = line.trim()
    if (word === '') continue
    const column = line.indexOf(word) + 1
    if (!/^[0-9a-f]{32}$/i.test(word)) fault(index + 1, column, `expected a secret of 32 hexadecimal digits, found ${word.length} characters`, 'openssl rand -hex 16 makes one')
    else if (secrets.length === MOST) fault(index + 1, column, `more than ${MOST} secrets`, 'the first makes cookies; keep beside it only those whose cookies are still about')
    else secrets.push(Buffer.from(word, 'hex'))
  }
  if (secrets.length === 0 && faults.length === 0) fault(1, 1, 'holds no secret', 'openssl rand -hex 16 makes one')
  return { secrets, faults }
}
