import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { After, Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { ConfigError, formatFault, whyUnreadable } from '../../core/trouble.ts'
import { parseSecrets } from '../wire/index.ts'
import { FileWatcher } from './watch.ts'

const OCTETS = 16

export interface CookieSecretsOptions {
  /** Absolute path; absent: a secret is made up. */
  readonly file: string | undefined
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
  /** Told when the file has come to hold others. */
  changed(): void
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
    this.#watcher = new FileWatcher({ folder: dirname(file), wants: (name) => name === basename(file), changed: () => this.#reread(file), clock, after })
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
    return { secrets: [], faults: [{ file, line: 1, column: 1, severity: 'error', reason: `cannot be read: ${whyUnreadable(error)}` }] }
  }
}
