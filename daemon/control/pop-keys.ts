import { readFileSync, statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { KeyFile } from '../../core/channel.ts'
import type { After, Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { formatFault, whyUnreadable } from '../../core/trouble.ts'
import { checkKeyMode, parsePopKeys, type PopKey } from '../pops/index.ts'
import { FileWatcher } from './watch.ts'

export interface PopKeysOptions {
  /** As it was read, and checked, at the start. */
  readonly first: KeyFile
  /** Absolute path. */
  readonly file: string
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
}

/** The keys that PoPs share, as their file has them now: those in use stay so while it is broken, or not ours to read. */
export class PopKeys {
  readonly #options: PopKeysOptions
  readonly #watcher: FileWatcher
  #keys: readonly PopKey[]

  constructor(options: PopKeysOptions) {
    this.#options = options
    const { first, file, clock, after } = options
    this.#keys = parsePopKeys(first.label, first.text).keys
    this.#watcher = new FileWatcher({ folder: dirname(file), wants: (name) => name === basename(file), changed: () => this.#reread(), clock, after })
  }

  get now(): readonly PopKey[] {
    return this.#keys
  }

  close(): void {
    this.#watcher.close()
  }

  #reread(): void {
    const { first, file, log } = this.#options
    let trouble: string[]
    try {
      const { keys, faults } = parsePopKeys(first.label, readFileSync(file, 'utf8'))
      trouble = [...checkKeyMode(first.label, statSync(file).mode), ...faults].map(formatFault)
      if (trouble.length === 0) this.#keys = keys
    } catch (error) {
      trouble = [`${first.label} cannot be read, and the keys before stay in use: ${whyUnreadable(error)}`]
    }
    for (const line of trouble) log.error(line)
    if (trouble.length === 0) log.info(`${first.label}: ${this.#keys.length} ${this.#keys.length === 1 ? 'key' : 'keys'} of the PoPs in use`)
  }
}
