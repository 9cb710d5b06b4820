import { existsSync } from 'node:fs'
import { z } from 'zod'
import { messageOf } from '../../core/trouble.ts'
import type { Logger } from '../../core/log.ts'
import { replaceFile } from './files.ts'
import { readState } from './state.ts'
import type { Pin } from './types.ts'

const schema = z.record(z.string(), z.object({ state: z.enum(['announced', 'demoted', 'withdrawn', 'drain']), why: z.string(), since: z.number(), until: z.number().optional(), isForced: z.boolean().optional() }))

/** What operators hold prefixes to, by their names; kept in a file over restarts. */
export class Pins {
  readonly #file: string
  readonly #log: Logger
  readonly #pins: Map<string, Pin>

  constructor(file: string, log: Logger) {
    this.#file = file
    this.#log = log
    const kept = readState(file, schema)
    if (kept === undefined && existsSync(file)) log.error(`${file} cannot be read: pins and drains of before are forgotten`)
    this.#pins = new Map(Object.entries(kept ?? {}))
  }

  /** The pin of a prefix at a wall time. */
  get(name: string, now: number): Pin | undefined {
    const pin = this.#pins.get(name)
    return pin?.until !== undefined && pin.until <= now ? undefined : pin
  }

  /** Resolves when it is on disk, or when that has failed, which is logged. */
  async set(names: readonly string[], pin: Pin | undefined): Promise<void> {
    for (const name of names) {
      if (pin === undefined) this.#pins.delete(name)
      else this.#pins.set(name, pin)
    }
    try {
      await replaceFile(this.#file, `${JSON.stringify(Object.fromEntries(this.#pins))}\n`, { isLasting: true, mode: 0o600 })
    } catch (error) {
      this.#log.error(`${this.#file} cannot be written, and pins are forgotten with the next start: ${messageOf(error)}`)
    }
  }
}
