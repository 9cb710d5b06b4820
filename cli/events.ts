import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../core/clock.ts'
import { formatDuration } from '../core/quantity.ts'
import type { Event, readEvents } from '../daemon/control/index.ts'
import { failed, isSet, numberOf, type Call, type Command } from './command.ts'
import { stateFolder, STATE } from './folders.ts'

const DAY_MS = 86_400_000
const LOOK_MS = 250

export const events: Command = {
  name: 'events',
  summary: 'list what changed: verdicts and forced states, why, and whom it affects',
  details: [
    'From the journal in the state folder, which is there when no fleet runs, too. What is affected: the',
    'steered names that may be answered with the target, and its share of the requests at that moment.'
  ],
  arguments: [{ name: 'TARGET', optional: true, completes: 'member' }],
  options: {
    since: { kind: 'duration', value: 'TIME', summary: 'how far back (default: 24h)' },
    follow: { kind: 'flag', short: 'f', summary: 'go on with what happens next, until Ctrl-C' },
    json: { kind: 'flag', summary: 'print the lines of the journal as they are' },
    state: STATE
  },
  examples: ['nearcast events', 'nearcast events icn --since 1h', 'nearcast events --follow --json'],
  run: async (call) => {
    const folder = stateFolder(call)
    const file = join(folder.path, 'events.jsonl')
    const text = textOf(join(folder.path, 'events.old.jsonl')) + textOf(file)
    if (text === '') return failed(call.io, `there is no journal in the state folder ${folder.label} (npm start starts a fleet, which writes one)`)
    // It brings much of the daemon with it.
    const { readEvents } = await import('../daemon/control/index.ts')
    const journal: Journal = { call, read: readEvents }
    const from = systemClock.now() - (numberOf(call, 'since') ?? DAY_MS)
    const told = tell(journal, text, from)
    if (isSet(call, 'follow')) await follow(journal, file)
    else if (!told && !isSet(call, 'json')) call.io.out(`nothing has changed in ${formatDuration(numberOf(call, 'since') ?? DAY_MS)}\n`)
    return 0
  }
}

interface Journal {
  readonly call: Call
  readonly read: typeof readEvents
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** Prints those events of a text that are asked for; whether there were any. */
function tell({ call, read }: Journal, text: string, from: number): boolean {
  const [target] = call.positionals
  const wanted = read(text).filter((event) => event.event !== 'kept' && Date.parse(event.at) >= from && (target === undefined || ('target' in event && event.target === target)))
  for (const event of wanted) call.io.out(`${isSet(call, 'json') ? JSON.stringify(event) : eventLine(event)}\n`)
  return wanted.length > 0
}

/** What is appended from now on. A journal that is begun anew is read from its beginning. */
async function follow(journal: Journal, file: string): Promise<void> {
  let at = sizeOf(file)
  let rest = ''
  for (;;) {
    await sleep(LOOK_MS)
    const size = sizeOf(file)
    if (size < at) at = 0
    if (size === at) continue
    const text = rest + readFrom(file, at, size - at)
    at = size
    const end = text.lastIndexOf('\n') + 1
    rest = text.slice(end)
    tell(journal, text.slice(0, end), 0)
  }
}

function sizeOf(file: string): number {
  return withFile(file, (fd) => fstatSync(fd).size) ?? 0
}

function readFrom(file: string, at: number, length: number): string {
  const into = Buffer.alloc(length)
  return withFile(file, (fd) => into.toString('utf8', 0, readSync(fd, into, 0, length, at))) ?? ''
}

function withFile<T>(file: string, work: (fd: number) => T): T | undefined {
  let fd: number
  try {
    fd = openSync(file, 'r')
  } catch {
    return undefined
  }
  try {
    return work(fd)
  } finally {
    closeSync(fd)
  }
}

/** One event for people. */
export function eventLine(event: Event): string {
  const at = `${event.at.slice(0, 19).replace('T', ' ')}Z`
  if (!('target' in event)) return `${at}  the daemon ${event.event === 'start' ? 'began' : 'ended'}`
  if (event.event === 'anycast') return `${at}  ${event.target} ${event.state}: ${event.why}`
  if (!('verdict' in event)) return `${at}  ${event.target} is checked no more`
  const { target, verdict, forced, why } = event
  const affects = event.event === 'health' ? event.affects : undefined
  const state = forced === 'none' ? verdict : `${verdict}, ${forced === 'drain' ? 'drained' : `forced ${forced}`}`
  return `${at}  ${target} ${state}: ${why}${affects === undefined ? '' : `; ${affectedText(affects)}`}`
}

function affectedText({ names, first, share }: NonNullable<Extract<Event, { event: 'health' }>['affects']>): string {
  const listed = names === 0 ? 'behind no steered name' : `behind ${names} ${names === 1 ? 'name' : 'names'} (${first.join(', ')}${names > first.length ? ', …' : ''})`
  return share === undefined ? listed : `${listed}, ${(share * 100).toFixed(1)} % of the requests`
}
