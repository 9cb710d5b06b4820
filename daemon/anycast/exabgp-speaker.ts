import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import type { After, Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { messageOf } from '../../core/trouble.ts'
import type { IncludeOptions, Route } from './include.ts'
import type { Speaker, SpeakerView } from './speaker.ts'
import { makeTurns } from './turns.ts'

export interface ExabgpOptions extends IncludeOptions {
  /** Named pipe that ExaBGP reads. */
  readonly pipe: string
  readonly nextHop: string
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
}

/** Whoever was started again knows nothing of what was said before. */
const AGAIN_MS = 10_000

/** One line for each prefix, as ExaBGP's API has them: withdrawn ones too, for what was announced before is not known. */
export function exabgpLines(routes: readonly Route[], { asn, demotion }: IncludeOptions, nextHop: string): string[] {
  return routes.map(({ prefix, state }) => {
    if (state === 'withdrawn') return `withdraw route ${prefix} next-hop ${nextHop}`
    if (state === 'announced') return `announce route ${prefix} next-hop ${nextHop}`
    const { prepends, med, communities } = demotion
    const large = communities.filter((each) => each.split(':').length === 3)
    const small = communities.filter((each) => each.split(':').length === 2)
    return [
      `announce route ${prefix} next-hop ${nextHop}`,
      // A path that is given is the whole of it: ExaBGP puts the own AS in front of none but its own.
      ...(prepends > 0 ? [`as-path [ ${Array.from({ length: prepends + 1 }, () => asn).join(' ')} ]`] : []),
      ...(med === undefined ? [] : [`med ${med}`]),
      ...(small.length > 0 ? [`community [ ${small.join(' ')} ]`] : []),
      ...(large.length > 0 ? [`large-community [ ${large.join(' ')} ]`] : [])
    ].join(' ')
  })
}

/** Tells ExaBGP through a pipe. It tells nothing back: what it does with it is not known. Owns the pipe. */
export class ExabgpSpeaker implements Speaker {
  readonly #options: ExabgpOptions
  #routes: readonly Route[] = []
  #pipe: FileHandle | undefined
  #told: string | undefined
  #toldAt = Number.NEGATIVE_INFINITY
  readonly #turns = makeTurns(() => this.#once())
  #view: SpeakerView = { what: 'ExaBGP', isThere: false, sessions: [], alarms: [] }

  constructor(options: ExabgpOptions) {
    this.#options = options
  }

  carry(routes: readonly Route[]): Promise<void> {
    this.#routes = routes
    return this.look()
  }

  look(): Promise<void> {
    return this.#turns.take()
  }

  takeOver(): void {
    this.#told = undefined
  }

  view(): SpeakerView {
    return this.#view
  }

  close(): void {
    this.#turns.end()
    this.#letGo()
  }

  #letGo(): void {
    void this.#pipe?.close().catch(() => undefined)
    this.#pipe = undefined
  }

  async #once(): Promise<void> {
    const { pipe, clock, nextHop } = this.#options
    const lines = exabgpLines(this.#routes, this.#options, nextHop).map((line) => `${line}\n`)
    const text = lines.join('')
    if (text === '' || (text === this.#told && clock.elapsed() - this.#toldAt < AGAIN_MS)) return
    try {
      // Without O_NONBLOCK it would wait until somebody reads.
      this.#pipe ??= await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK)
      // A pipe takes a line whole or not at all (PIPE_BUF); of all together it may take a part.
      for (const line of lines) await this.#pipe.write(line)
      this.#told = text
      this.#toldAt = clock.elapsed()
      this.#say({ what: 'ExaBGP', isThere: true, toldAt: clock.now(), sessions: [], alarms: [] })
    } catch (error) {
      this.#letGo()
      this.#told = undefined
      this.#say({ what: 'ExaBGP', isThere: false, sessions: [], alarms: [whyNotTold(error as NodeJS.ErrnoException, pipe)] })
    }
  }

  #say(view: SpeakerView): void {
    const before = this.#view
    this.#view = { ...(before.toldAt !== undefined && { toldAt: before.toldAt }), ...view }
    for (const line of view.alarms) if (!before.alarms.includes(line)) this.#options.log.warn(`anycast: ${line}`)
  }
}

function whyNotTold(error: NodeJS.ErrnoException, pipe: string): string {
  if (error.code === 'ENXIO' || error.code === 'EPIPE') return `ExaBGP does not read ${pipe}`
  if (error.code === 'ENOENT') return `there is no pipe ${pipe} (mkfifo makes one)`
  if (error.code === 'EAGAIN') return `ExaBGP does not read ${pipe}, which is full`
  return `${pipe}: ${messageOf(error)}`
}
