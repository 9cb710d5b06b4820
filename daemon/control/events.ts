import { closeSync, openSync, readSync, fstatSync } from 'node:fs'
import { appendFile, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { momentText } from '../../core/moment.ts'
import { messageOf } from '../../core/trouble.ts'
import { forcedOf, healthWord, isAnswerable, verdictOf, type CheckTarget, type Forced, type Verdict } from '../../healthchecks/index.ts'

// The journal of health: state/events.jsonl, one line for every change of what answers go by (verdicts as they were settled,
// and forced states), and for every start and end of the daemon. It tells later what was answered. A file that has grown to
// MOST_OCTETS becomes events.old.jsonl, and the next begins with how every target stands. Suspicion and loads are not in it.

/** How a target stood. Wall time. */
export interface PastTarget {
  readonly verdict: Verdict
  readonly forced: Forced
  readonly since: number
  readonly why: string
  /** Counts on with every change after which some target was no longer answered; 0: none of this one. */
  readonly lastUp: number
}

export interface PastHealth {
  readonly at: number
  /** When the journal begins. */
  readonly begins: number
  readonly targets: ReadonlyMap<string, PastTarget>
  /** When targets that were not checked at that time came to be, after it. */
  readonly later: ReadonlyMap<string, number>
}

export interface Events {
  /** The same target, whose changes are written from now on. */
  watched(target: CheckTarget): CheckTarget
  /** Why an operator is about to hold a target. */
  forced(name: string, why: string | undefined): void
  /** These are checked no more. */
  gone(names: readonly string[]): void
  /** A prefix is announced otherwise from now on. */
  announced(prefix: string, state: 'announced' | 'demoted' | 'withdrawn', why: string): void
  /** How everything stood at a wall time; a text says why that is not known. */
  past(at: number): Promise<PastHealth | string>
  /** Resolves when all is on disk, with the end of the daemon. */
  close(): Promise<void>
}

export interface EventsOptions {
  readonly stateFolder: string
  readonly clock: Clock
  readonly log: Logger
  /** What a change of a target affects, where that is known. */
  readonly affects?: (target: string) => z.output<typeof affected> | undefined
  /** Octets of a file before the next is begun. */
  readonly most?: number
}

const MOST_OCTETS = 2 * 1024 * 1024
const LONGEST_WHY = 200

const state = { target: z.string(), verdict: z.enum(['UNKNOWN', 'UP', 'DOWN']), forced: z.enum(['none', 'up', 'down', 'drain']), why: z.string() }
/** Steered names that may be answered with the target, the first of them, and its share of the requests at that moment. */
const affected = z.object({ names: z.number(), first: z.array(z.string()), share: z.number().optional() })
const event = z.discriminatedUnion('event', [
  z.object({ at: z.iso.datetime(), event: z.enum(['start', 'stop']) }),
  z.object({ at: z.iso.datetime(), event: z.literal('gone'), target: z.string() }),
  /** An anycast prefix is announced otherwise than before. */
  z.object({ at: z.iso.datetime(), event: z.literal('anycast'), target: z.string(), state: z.enum(['announced', 'demoted', 'withdrawn']), why: z.string() }),
  z.object({ at: z.iso.datetime(), event: z.literal('health'), ...state, affects: affected.optional() }),
  /** At the beginning of a file: as it stands since then. */
  z.object({ at: z.iso.datetime(), event: z.literal('kept'), since: z.iso.datetime(), ...state })
])
export type Event = z.output<typeof event>

export function openEvents({ stateFolder, clock, log, affects = () => undefined, most = MOST_OCTETS }: EventsOptions): Events {
  const file = join(stateFolder, 'events.jsonl')
  const old = join(stateFolder, 'events.old.jsonl')
  const known = new Map<string, Extract<Event, { event: 'health' }>>()
  const whys = new Map<string, string>()
  const end = lookAtEnd(file)
  let { size } = end
  let waiting = end.isCut ? '\n' : ''
  let writing: Promise<void> | undefined
  let isBroken = false
  const at = (): string => new Date(clock.now()).toISOString()
  const drain = async (): Promise<void> => {
    while (waiting !== '') {
      try {
        if (size > most) {
          await rename(file, old)
          size = 0
          waiting = [...known.values()].map((each) => line({ ...each, event: 'kept', at: at(), since: each.at })).join('') + waiting
        }
        const text = waiting
        waiting = ''
        await appendFile(file, text, { mode: 0o600 })
        size += Buffer.byteLength(text)
        isBroken = false
      } catch (error) {
        waiting = ''
        if (!isBroken) log.error({ file }, `cannot write ${file}: ${messageOf(error)}`)
        isBroken = true
      }
    }
    writing = undefined
  }
  const write = (told: Event): Promise<void> => {
    waiting += line(told)
    return (writing ??= drain())
  }
  const hold = (target: string, word: number, why: string): void => {
    const [verdict, forced] = [verdictOf(word), forcedOf(word)]
    const before = known.get(target)
    if (before?.verdict === verdict && before.forced === forced) return
    const reason = forced === 'none' ? why : (whys.get(target) ?? why)
    const told: Extract<Event, { event: 'health' }> = { at: at(), event: 'health', target, verdict, forced, why: reason.slice(0, LONGEST_WHY) }
    // Of how it began nothing follows.
    const follows = before === undefined ? undefined : affects(target)
    known.set(target, told)
    void write(follows === undefined ? told : { ...told, affects: follows })
  }
  void write({ at: at(), event: 'start' })
  return {
    watched: (target) => {
      hold(target.name, 0, 'not checked yet')
      return { ...target, wrote: (word, why) => hold(target.name, word, why) }
    },
    forced: (name, why) => void (why === undefined ? whys.delete(name) : whys.set(name, why)),
    gone: (names) => {
      for (const target of names) if (known.delete(target)) void write({ at: at(), event: 'gone', target })
    },
    announced: (target, state, why) => void write({ at: at(), event: 'anycast', target, state, why: why.slice(0, LONGEST_WHY) }),
    past: async (wanted) => {
      await writing
      return readPast(await Promise.all([readOr(old), readOr(file)]), wanted)
    },
    close: () => write({ at: at(), event: 'stop' })
  }
}

const line = (told: Event): string => `${JSON.stringify(told)}\n`

/** How long the journal is, and whether its last line was cut short. */
function lookAtEnd(file: string): { readonly size: number; readonly isCut: boolean } {
  let fd: number
  try {
    fd = openSync(file, 'r')
  } catch {
    return { size: 0, isCut: false }
  }
  try {
    const { size } = fstatSync(fd)
    const last = Buffer.alloc(1)
    return { size, isCut: size > 0 && readSync(fd, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a }
  } finally {
    closeSync(fd)
  }
}

const readOr = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '')

/** Reads the files of a journal, the older first. A line that is damaged counts for nothing. */
export function readPast(texts: readonly string[], wanted: number): PastHealth | string {
  const targets = new Map<string, PastTarget>()
  const later = new Map<string, number>()
  const now: { begins?: number; stopped?: number; again?: number; ups: number } = { ups: 0 }
  for (const text of texts) {
    for (const each of text.split('\n')) {
      const told = each === '' ? undefined : readEvent(each)
      if (told === undefined) continue
      const at = Date.parse(told.at)
      now.begins ??= at
      if (at <= wanted) take(told, at, targets, now)
      else if (told.event === 'start') now.again ??= at
      else if (told.event === 'health' && !later.has(told.target)) later.set(told.target, at)
    }
  }
  const { begins, stopped, again } = now
  if (begins === undefined) return 'not known: there is no journal of health'
  if (wanted < begins) return `not known before ${untilText(begins)}, when the journal of health begins`
  if (stopped !== undefined) return `nothing was answered at ${momentText(wanted)}: the daemon was stopped at ${momentText(stopped)}${again === undefined ? '' : ` and began again at ${momentText(again)}`}`
  return { at: wanted, begins, targets, later }
}

/** The first whole second that is not before. */
export const untilText = (wall: number): string => momentText(wall + 999)

function take(told: Event, at: number, targets: Map<string, PastTarget>, now: { stopped?: number; ups: number }): void {
  if (told.event === 'stop') {
    now.stopped = at
    return
  }
  delete now.stopped
  if (told.event === 'start') targets.clear()
  if (told.event === 'gone') targets.delete(told.target)
  if (told.event === 'health' || told.event === 'kept') {
    const { target, verdict, forced, why } = told
    const before = targets.get(target)
    const went = before !== undefined && isAnswerable(wordOfPast(before)) && !isAnswerable(wordOfPast({ verdict, forced }))
    targets.set(target, { verdict, forced, why, since: told.event === 'kept' ? Date.parse(told.since) : at, lastUp: went ? ++now.ups : (before?.lastUp ?? 0) })
  }
}

export const wordOfPast = ({ verdict, forced }: Pick<PastTarget, 'verdict' | 'forced'>): number => healthWord(verdict, forced, false)

/** The events of a journal's text, in order. A line that is damaged counts for nothing. */
export function readEvents(text: string): Event[] {
  return text.split('\n').flatMap((each) => (each === '' ? [] : (readEvent(each) ?? [])))
}

function readEvent(text: string): Event | undefined {
  try {
    const read = event.safeParse(JSON.parse(text))
    return read.success ? read.data : undefined
  } catch {
    return undefined
  }
}
