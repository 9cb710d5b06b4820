import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import type { After, Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { ConfigError, formatFault, messageOf, type Fault } from '../../core/trouble.ts'
import { FileWatcher } from './watch.ts'

const OCTETS = 16
/** A cookie that is not ours costs a hash for each secret. */
const MOST = 4

export interface CookieSecretsOptions {
  /** Path, relative to the current folder; absent: a secret is made up. */
  readonly file: string | undefined
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
  /** Told when the file has come to hold others. */
  changed(): void
}

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

/** The secrets of DNS cookies, as their file has them now. */
export class CookieSecrets {
  readonly #options: CookieSecretsOptions
  readonly #watcher: FileWatcher | undefined
  #secrets: readonly Uint8Array[]

  /** @throws ConfigError when there is a file and it holds something else */
  constructor(options: CookieSecretsOptions) {
    this.#options = options
    const { file, clock, after } = options
    if (file === undefined) {
      this.#secrets = [randomBytes(OCTETS)]
      return
    }
    this.#watcher = new FileWatcher({ folder: dirname(resolve(file)), wants: (name) => name === basename(file), changed: () => this.#reread(file), clock, after })
    const { secrets, faults } = read(file)
    if (faults.length > 0) {
      this.close()
      throw new ConfigError(faults)
    }
    this.#secrets = secrets
  }

  /** The first makes cookies, all are accepted. */
  get now(): readonly Uint8Array[] {
    return this.#secrets
  }

  close(): void {
    this.#watcher?.close()
  }

  /** Secrets that are in use stay so while the file is broken. */
  #reread(file: string): void {
    const { log, changed } = this.#options
    const { secrets, faults } = read(file)
    for (const fault of faults) log.error(formatFault(fault))
    if (faults.length > 0) return
    this.#secrets = secrets
    log.info(`${file}: ${secrets.length} ${secrets.length === 1 ? 'secret' : 'secrets'} of DNS cookies in use`)
    changed()
  }
}

function read(file: string): ReturnType<typeof parseSecrets> {
  try {
    return parseSecrets(file, readFileSync(file, 'utf8'))
  } catch (error) {
    return { secrets: [], faults: [{ file, line: 1, column: 1, severity: 'error', reason: `cannot be read: ${messageOf(error)}` }] }
  }
}
