import type { Fault } from './trouble.ts'

/** A word of a file of secrets, and where it stands. */
export interface SecretLine {
  readonly word: string
  readonly line: number
  readonly column: number
}

/** The words of a file of secrets, one a line; blank lines and what follows # do not count. */
export function readSecretLines(text: string): SecretLine[] {
  return text.split('\n').flatMap((whole, index) => {
    const line = whole.replace(/#.*/, '')
    const word = line.trim()
    return word === '' ? [] : [{ word, line: index + 1, column: line.indexOf(word) + 1 }]
  })
}

/** A fault of such a file. Never holds a secret. */
export function secretFault(file: string, { line, column }: Pick<SecretLine, 'line' | 'column'>, reason: string, hint?: string): Fault {
  return { file, line, column, severity: 'error', reason, ...(hint !== undefined && { hint }) }
}
