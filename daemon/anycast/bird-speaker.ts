import type { After, Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { messageOf, whyUnreadable } from '../../core/trouble.ts'
import { BirdTrouble, CODE, openBird, type Bird, type BirdReply } from './bird.ts'
import { compareSessions } from './compare.ts'
import { readIfThere, replaceFile } from './files.ts'
import { renderInclude, type IncludeOptions, type Route } from './include.ts'
import { readExported, readSession, type Exported, type Session } from './read-back.ts'
import type { Speaker, SpeakerView } from './speaker.ts'
import { makeTurns } from './turns.ts'

export interface BirdSpeakerOptions extends IncludeOptions {
  readonly socket: string
  /** Absolute path of what bird.conf includes. */
  readonly include: string
  readonly timeoutMs: number
  readonly upstreams: readonly string[]
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
}

/** After trouble it is tried again, ever less often. */
const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 5000
/** What BIRD sends follows its configuration after some milliseconds, on a busy machine after some hundred: it is read again, ever later. */
const READ_AGAIN_MS = 20
const READINGS = 7

/** Where BIRD has the include and sends something else, as after `configure undo`, it is told again after so long, and ever less often: it may be a filter of the operator's. */
const FIRST_TELL_AGAIN_MS = 2000
const LONGEST_TELL_AGAIN_MS = 120_000

/** That somebody changed the include is told for so long. */
const TOLD_FOR_MS = 60_000

/** What was found when BIRD was last asked. */
interface Reading {
  readonly sessions: readonly (readonly [string, Session | undefined])[]
  readonly exported: ReadonlyMap<string, readonly Exported[]>
}

/** Has BIRD announce what is intended: by the include, by `configure`, and by looking at what is sent. Owns a timer. */
export class BirdSpeaker implements Speaker {
  readonly #options: BirdSpeakerOptions
  #routes: readonly Route[] | undefined
  /** The include as BIRD was last told to read it; undefined: not since this process began, or since trouble. */
  #told: string | undefined
  #wrote: string | undefined
  readonly #turns = makeTurns(() => this.#once())
  /** What is intended has changed since it was looked at. */
  #isNew = false
  #failures = 0
  /** How often it was told the same again, and when the next time is. */
  #tellings = 0
  #tellAgainAt: number | undefined
  #notBefore = 0
  #view: SpeakerView = { what: 'BIRD', isThere: false, sessions: [], alarms: [] }
  /** What was done to the include by others, and when: told for a while. */
  #tampering: { readonly line: string; readonly at: number } | undefined
  #cancel = (): void => undefined
  #isClosed = false

  constructor(options: BirdSpeakerOptions) {
    this.#options = options
  }

  carry(routes: readonly Route[]): Promise<void> {
    if (renderInclude(routes, this.#options) !== (this.#routes && renderInclude(this.#routes, this.#options))) {
      this.#isNew = true
      // It does not wait until old trouble is over.
      this.#notBefore = 0
    }
    this.#routes = routes
    return this.look()
  }

  look(): Promise<void> {
    return this.#turns.take()
  }

  takeOver(): void {
    this.#wrote = undefined
    this.#told = undefined
  }

  view(): SpeakerView {
    return this.#view
  }

  close(): void {
    this.#isClosed = true
    this.#turns.end()
    this.#cancel()
  }

  async #once(): Promise<void> {
    const { clock, after } = this.#options
    if (this.#routes === undefined || this.#isClosed || clock.elapsed() < this.#notBefore) return
    this.#isNew = false
    try {
      const text = renderInclude(this.#routes, this.#options)
      await this.#keepInclude(text)
      if (this.#told !== text) await this.#tell(text)
      else if (this.#tellAgainAt !== undefined && clock.elapsed() >= this.#tellAgainAt) {
        this.#tellAgainAt = undefined
        await this.#tell(text)
      }
      await this.#readBack(this.#routes)
      this.#failures = 0
    } catch (error) {
      const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(10, this.#failures++))
      this.#notBefore = clock.elapsed() + wait
      this.#cancel()
      this.#cancel = after(wait, () => void this.look())
      this.#told = undefined
      this.#say({ what: this.#view.what, isThere: !(error instanceof BirdTrouble), sessions: [], alarms: [...this.#lately(), messageOf(error)] })
    }
  }

  /** The file is what is intended, whoever wrote it last. */
  async #keepInclude(text: string): Promise<void> {
    const { include } = this.#options
    const found = await readIfThere(include).catch((error: unknown) => {
      throw new Error(`${include} cannot be used: ${whyUnreadable(error)}`, { cause: error })
    })
    if (found === text) {
      this.#wrote = text
      return
    }
    if (this.#wrote !== undefined && found !== this.#wrote) this.#tampering = { line: `${include} ${found === undefined ? 'was removed' : 'was changed by somebody else'}, and has been put right`, at: this.#options.clock.elapsed() }
    try {
      await replaceFile(include, text, { isLasting: true, mode: 0o644 })
    } catch (error) {
      throw new Error(`${include} cannot be written: ${messageOf(error)}`, { cause: error })
    }
    this.#wrote = text
    this.#told = undefined
  }

  #lately(): string[] {
    return this.#tampering === undefined || this.#options.clock.elapsed() - this.#tampering.at > TOLD_FOR_MS ? [] : [this.#tampering.line]
  }

  async #tell(text: string): Promise<void> {
    const { clock, log } = this.#options
    const bird = await openBird(this.#options, false)
    try {
      // A fault is told without the old configuration having been touched; one that comes in between is told by the second.
      for (const command of ['configure check', 'configure']) {
        const reply = await bird.ask(command)
        const trouble = whyRefused(reply)
        if (trouble !== undefined) throw new Error(trouble)
      }
    } finally {
      bird.close()
    }
    this.#told = text
    log.debug('BIRD has taken a new configuration')
    this.#view = { ...this.#view, toldAt: clock.now() }
  }

  async #readBack(routes: readonly Route[]): Promise<void> {
    const { upstreams, demotion, clock, after } = this.#options
    const bird = await openBird(this.#options, true)
    try {
      for (let reading = 1; ; reading++) {
        const found = await read(bird, upstreams, routes)
        const { sessions, alarms, isOtherwise } = compareSessions(found.sessions, found.exported, routes, demotion)
        if (alarms.length > 0 && reading < READINGS && !this.#isNew) {
          await new Promise<void>((resolve) => void after(READ_AGAIN_MS * 2 ** (reading - 1), resolve))
          continue
        }
        this.#mayTellAgain(isOtherwise)
        return this.#say({ what: bird.greeting.replace(/ ready\.?$/, ''), isThere: true, readAt: clock.now(), sessions, alarms: [...this.#lately(), ...alarms] })
      }
    } finally {
      bird.close()
    }
  }

  #mayTellAgain(isOtherwise: boolean): void {
    if (!isOtherwise) {
      this.#tellings = 0
      this.#tellAgainAt = undefined
    } else this.#tellAgainAt ??= this.#options.clock.elapsed() + Math.min(LONGEST_TELL_AGAIN_MS, FIRST_TELL_AGAIN_MS * 2 ** Math.min(10, this.#tellings++))
  }

  #say(view: SpeakerView): void {
    const { log } = this.#options
    const before = this.#view
    this.#view = { ...view, ...(before.toldAt !== undefined && { toldAt: before.toldAt }), ...(view.readAt === undefined && before.readAt !== undefined && { readAt: before.readAt }) }
    for (const line of view.alarms) if (!before.alarms.includes(line)) log.warn(`anycast: ${line}`)
    if (view.alarms.length === 0 && before.alarms.length > 0) log.info('anycast: BIRD announces what is intended')
    if (view.isThere && !before.isThere) log.info(`anycast: ${view.what} is there`)
  }
}

async function read(bird: Bird, upstreams: readonly string[], routes: readonly Route[]): Promise<Reading> {
  const sessions: [string, Session | undefined][] = []
  const exported = new Map<string, Exported[]>()
  for (const name of upstreams) {
    const session = readSession(name, await bird.ask(`show protocols all ${name}`))
    sessions.push([name, session])
    if (session === undefined) continue
    const sent: Exported[] = []
    for (const { prefix } of routes) {
      const reply = await bird.ask(`show route ${prefix} all export ${name}`)
      if (reply.code !== CODE.notFound) sent.push(...readExported(reply).filter((each) => each.prefix === prefix))
    }
    exported.set(name, sent)
  }
  return { sessions, exported }
}

function whyRefused({ code, text }: BirdReply): string | undefined {
  switch (code) {
    case CODE.configOk:
    case CODE.reconfigured:
    case CODE.reconfiguring:
    case CODE.unchanged:
    case 18:
      return undefined
    case CODE.badConfig:
      return `BIRD refuses its configuration, and keeps the one before: ${text}`
    case CODE.denied:
      return `BIRD does not let itself be configured: ${text}`
    case CODE.shutdown:
      return 'BIRD is shutting down'
    default:
      return `BIRD answers ${String(code).padStart(4, '0')} ${text}`
  }
}
