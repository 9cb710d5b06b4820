import { dirname } from 'node:path'
import type { KeyFile } from '../../core/channel.ts'
import type { After, Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { readRegularFile } from '../../core/regular-file.ts'
import { formatFault, whyUnreadable, type Fault } from '../../core/trouble.ts'
import { parseKeys, type KeyRing, type TsigKey } from '../wire/index.ts'
import { FileWatcher } from './watch.ts'

export interface TsigKeyFilesOptions {
  /** As they were read, and checked, at the start. */
  readonly files: readonly KeyFile[]
  /** Keys that the configuration names. */
  readonly named: ReadonlySet<string>
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
  /** Told when they have come to hold others; resolves when every thread goes by those. */
  changed(): Promise<unknown>
}

interface Reading extends Omit<KeyRing, 'number'> {
  readonly faults: readonly Fault[]
}

/** The TSIG keys of all files, as those have them now: the keys in force stay so, all of them, while one file is broken or not ours to read. */
export class TsigKeyFiles {
  readonly #options: TsigKeyFilesOptions
  readonly #watcher: FileWatcher | undefined
  #ring: KeyRing
  #faults: readonly string[] = []

  constructor(options: TsigKeyFilesOptions) {
    this.#options = options
    const { files, clock, after } = options
    this.#ring = { number: 0, ...ringOf(read(files, ({ text }) => text)) }
    const [first] = files
    if (first === undefined) return
    this.#watcher = new FileWatcher({ folder: dirname(first.path), wants: () => false, changed: () => void this.reread(), clock, after })
    this.#watcher.follow(files.map(({ path }) => path))
  }

  get now(): KeyRing {
    return this.#ring
  }

  /** What keeps the files as they are now out of force, in lines. */
  get faults(): readonly string[] {
    return this.#faults
  }

  close(): void {
    this.#watcher?.close()
  }

  /** Reads every file again; resolves when what is in them is in force, or with the lines that say why it is not. */
  async reread(): Promise<readonly string[]> {
    const { files, named, log, changed } = this.#options
    const { faults, ...ring } = read(files, ({ path }) => readRegularFile(path).toString('utf8'))
    const lines = faults.filter(({ severity }) => severity === 'error').map(formatFault)
    this.#faults = lines.map((line, at) => (at === lines.length - 1 ? `${line}; the keys before stay in force` : line))
    for (const line of this.#faults) log.error(line)
    if (lines.length > 0) return this.#faults
    const said = difference(this.#ring.keys, ring.keys)
    if (said === '' && `${this.#ring.everyZone}` === `${ring.everyZone}`) return []
    const gone = [...this.#ring.keys.keys()].filter((name) => !ring.keys.has(name) && named.has(name))
    this.#ring = { number: this.#ring.number + 1, ...ring }
    await changed()
    for (const fault of faults) log.warn(formatFault(fault))
    log.info(`TSIG keys in force: ${ring.keys.size}${said}`)
    for (const name of gone) log.warn(`key ${name} is in no key file any more, and nearcast.yaml names it: what is signed with it is refused, and whoever is to be asked or told with it will refuse that`)
    return []
  }
}

const ringOf = ({ keys, everyZone }: Reading): Omit<KeyRing, 'number'> => ({ keys, everyZone })

function read(files: readonly KeyFile[], textOf: (file: KeyFile) => string): Reading {
  const keys = new Map<string, TsigKey>()
  const everyZone: string[] = []
  const faults: Fault[] = []
  const places = new Map<string, string>()
  for (const file of files) {
    const wrong = (reason: string): void => void faults.push({ file: file.label, line: 1, column: 1, severity: 'error', reason })
    let text: string
    try {
      text = textOf(file)
    } catch (error) {
      wrong(`cannot be read: ${whyUnreadable(error)}`)
      continue
    }
    // What an editor or a copy leaves while it writes; a comment says that no key is meant to be there.
    if (text.trim() === '' && file.text.trim() !== '') wrong('is empty')
    const parsed = parseKeys(file.label, text, places)
    faults.push(...parsed.faults)
    for (const [name, key] of parsed.keys) {
      keys.set(name, key)
      if (file.mayTransferAll === true) everyZone.push(name)
    }
  }
  return { keys, everyZone, faults }
}

/** Which keys are others, by name; empty when none are. */
function difference(before: KeyRing['keys'], now: KeyRing['keys']): string {
  const isSame = (a: TsigKey, b: TsigKey): boolean => a.algorithm === b.algorithm && a.secret.equals(b.secret)
  const parts = [
    ['new', [...now.keys()].filter((name) => !before.has(name))],
    ['changed', [...now].flatMap(([name, key]) => (before.has(name) && !isSame(before.get(name)!, key) ? [name] : []))],
    ['gone', [...before.keys()].filter((name) => !now.has(name))]
  ] as const
  return parts.map(([what, names]) => (names.length === 0 ? '' : `; ${what}: ${names.join(', ')}`)).join('')
}
