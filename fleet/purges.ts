import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FromProcess, Role } from '../core/channel.ts'
import type { Clock } from '../core/clock.ts'
import { MOST_PURGES, type Purge, type PurgeOrder, type PurgeTold } from '../core/purge.ts'
import { replaceFile } from '../core/replace-file.ts'
import type { Worker } from './worker.ts'

/** Those nearest to the origins first: what is told a tier never comes back from one above it. */
const ORDER: readonly Role[] = ['shield', 'regional', 'edge']
/** A process that has not confirmed within this long is silent. */
const CONFIRM_MS = 2500

/** Has every cache of the fleet drop something, and remembers it for those that are away. */
export class PurgeDesk {
  readonly #file: string
  readonly #clock: Clock
  /** By what they name: the latest of each. */
  readonly #known = new Map<string, Purge>()
  readonly #waiting = new Map<string, (confirmed: boolean) => void>()
  /** By the name of a process: what it has not confirmed in time. */
  readonly #overdue = new Map<string, PurgeOrder>()
  #last = 0

  constructor(stateFolder: string, clock: Clock) {
    this.#file = join(stateFolder, 'purges.json')
    this.#clock = clock
    for (const purge of read(this.#file)) this.#note(purge)
  }

  /** What a process is told at its start. */
  get known(): readonly Purge[] {
    return [...this.#known.values()]
  }

  /** Tier by tier; the next is told when all of one that run have confirmed, or are late. Throws when it cannot be written down. */
  async purge(workers: readonly Worker[], order: PurgeOrder): Promise<PurgeTold> {
    const purge: Purge = { ...order, number: Math.max(this.#last + 1, this.#clock.now()), at: this.#clock.now() }
    this.#note(purge)
    replaceFile(this.#file, `${JSON.stringify(this.known)}\n`)
    const told: PurgeTold & { told: string[]; later: string[]; silent: string[] } = { number: purge.number, told: [], later: [], silent: [] }
    for (const role of ORDER) {
      const tier = workers.filter(({ post }) => post.role === role)
      const confirmed = await Promise.all(tier.map((worker) => (worker.alive ? this.#tell(worker, purge) : undefined)))
      for (const [at, worker] of tier.entries()) {
        if (confirmed[at] === false) this.#overdue.set(nameOf(worker), order)
        const list = confirmed[at] === undefined ? told.later : confirmed[at] ? told.told : told.silent
        list.push(worker.post.name)
      }
    }
    return told
  }

  /**
   * A process has a purge. @returns what must be purged again: it had been late, and may have given something old to the tiers below since.
   */
  confirm(worker: Worker, { number }: Extract<FromProcess, { kind: 'purged' }>): PurgeOrder | undefined {
    const waiting = this.#waiting.get(`${nameOf(worker)} ${number}`)
    if (waiting !== undefined) {
      waiting(true)
      return undefined
    }
    const order = this.#overdue.get(nameOf(worker))
    this.#overdue.delete(nameOf(worker))
    return worker.post.role === 'edge' ? undefined : order
  }

  #tell(worker: Worker, purge: Purge): Promise<boolean> {
    return new Promise((resolve) => {
      const name = `${nameOf(worker)} ${purge.number}`
      const timer = setTimeout(() => finish(false), CONFIRM_MS)
      const finish = (confirmed: boolean): void => {
        clearTimeout(timer)
        this.#waiting.delete(name)
        resolve(confirmed)
      }
      this.#waiting.set(name, finish)
      worker.send({ kind: 'purge', purge })
    })
  }

  /** The oldest of too many are let go, and everything that was asked for before them with them. */
  #note(purge: Purge): void {
    const name = `${purge.kind} ${purge.soft} ${purge.what}`
    this.#known.delete(name)
    this.#known.set(name, purge)
    this.#last = Math.max(this.#last, purge.number)
    if (this.#known.size <= MOST_PURGES) return
    const oldest = [...this.#known.entries()].slice(0, MOST_PURGES / 2)
    for (const [name] of oldest) this.#known.delete(name)
    const { number, at } = oldest.map(([, purge]) => purge).reduce((one, other) => (other.number > one.number ? other : one))
    this.#known.set('all false ', { kind: 'all', what: '', soft: false, number, at })
  }
}

const nameOf = ({ post }: Worker): string => `${post.role} ${post.name}`

function read(file: string): Purge[] {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Purge[]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw new Error(`${file} cannot be read, and without it caches could answer with what was purged: remove it, and the folder cache/ beside it`, { cause: error })
  }
}
