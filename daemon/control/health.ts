import { join } from 'node:path'
import { z } from 'zod'
import type { Config } from '../../core/config.ts'
import type { Member, Setup } from '../../core/channel.ts'
import type { After, Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { Checker, makeHealthTable, planCheck, startRounds, type CheckTarget, type HealthTable, type Probe, type ProbeSpec } from '../../healthchecks/index.ts'
import type { Vantage } from '../pops/index.ts'
import type { RoutingImage } from '../routing/index.ts'
import type { Affected } from '../traffic/index.ts'
import type { MemberStatus, TargetStatus } from './api.ts'
import { startCapacity } from './capacity.ts'
import { keepDecisions } from './decisions.ts'
import { openEvents, type Events } from './events.ts'
import { openForces, type Forces, type ForcesOptions } from './forces.ts'
import { makeStateFile, readStateFile } from './health-file.ts'
import { watchOrigins, type OriginHealth } from './origin-health.ts'
import { makePlainTargets } from './plain-targets.ts'
import { makeReasons } from './reasons.ts'
import { describeMembers, describeTargets } from './status.ts'

/** The health of the fleet, kept up to date by checks and by what the supervisor tells. */
export interface Health {
  /** What answers read: word i is edge i of the configuration; the words past the edges are for plain addresses of policies. */
  readonly table: HealthTable
  /** Resolves when every target there is now has been checked once, or when that has taken too long. */
  settled(): Promise<void>
  /** Takes over the targets of policies before they are in service: those that have a check are checked from now on. */
  adopt(routing: RoutingImage, view?: string): RoutingImage
  readonly forces: Forces
  /** How everything stood at a wall time; a text says why that is not known. */
  past: Events['past']
  /** Writes into the journal how a prefix is announced from now on. */
  announced: Events['announced']
  /** Hand every `fleet` message of the supervisor here. */
  fleet(members: readonly Member[]): void
  members(): readonly MemberStatus[]
  /** The targets of policies that are no members and have a check. */
  targets(): readonly TargetStatus[]
  /** Why a member or a target of policies is not simply up; undefined when it is. */
  reason(name: string): string | undefined
  /** The next end of this member is a rehearsal and no flap. Returns what takes that back. */
  rehearse(name: string): () => void
  /** Ends all checks; resolves when what is known is on disk. */
  close(): Promise<void>
}

export interface HealthOptions {
  readonly setup: Setup
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
  /** Decides with what other PoPs see; absent: our own checks alone do. */
  readonly vantage?: Vantage
  /** Instead of the real probe and node-cron, for tests. */
  readonly probe?: Probe<ProbeSpec>
  readonly rounds?: typeof startRounds
  /** The greatest TTL of a routed record now, in seconds. */
  routedTtl?(): number
  /** Told which origins are down, whenever that changes. */
  readonly tellOrigins?: (down: readonly string[]) => void
  /** Which steered names a target stands behind, where there are any yet. */
  readonly affected?: (target: string) => Affected | undefined
}

/** Targets of policies that the table has words for, beyond the edges. */
const PLAIN_TARGETS = 4096
/** How often the age of what is known is brought up to date on disk. */
const SAVE_EVERY_MS = 60_000
const SAVE_AFTER_CHANGE_MS = 250

const savedTargets = z.array(
  z.object({ name: z.string(), verdict: z.enum(['UNKNOWN', 'UP', 'DOWN']), why: z.string(), since: z.number(), checkedAt: z.number(), falls: z.number().min(0).max(1000) })
)

/** Starts checking every member of the fleet at once. */
export function startHealth(options: HealthOptions): Health {
  const { setup, clock, after, log } = options
  const { config } = setup
  const table = makeHealthTable(Object.keys(config.edges).length + PLAIN_TARGETS)
  const file = join(setup.stateFolder, 'health.json')
  const disk = makeStateFile(file, log)
  const decisions = options.vantage && keepDecisions({ vantage: options.vantage, file: join(setup.stateFolder, 'decisions.json'), clock, log })
  const save = (): Promise<unknown> => Promise.all([disk.write(checker.save()), decisions?.save()])
  const saving = makeSaving(clock, after, () => void save())
  const checker = new Checker({
    holdDownMs: config.checks['hold-down'],
    clock,
    after,
    log,
    rounds: options.rounds ?? startRounds,
    known: readStateFile(file, savedTargets, log) ?? [],
    changed: (change) => {
      saving.within(SAVE_AFTER_CHANGE_MS)
      if (change.before === 'DOWN' && change.now === 'UP') capacity.recovered(change.name)
      origins.note(change.name, checker)
    },
    ...(options.vantage === undefined ? {} : { settler: options.vantage }),
    ...(options.probe === undefined ? {} : { probe: options.probe })
  })
  options.vantage?.whenChanged(restating(checker, saving))
  const shares = makeShares(options.affected)
  const events = openEvents({ stateFolder: setup.stateFolder, clock, log, affects: shares.affectedBy })
  const origins = watchOrigins(config, options.tellOrigins ?? (() => undefined))
  beginChecks(checker, events, [...checkTargets(config, setup.ports.http, table), ...origins.targets], origins)
  const forces = openForces({ file: join(setup.stateFolder, 'forces.json'), clock, after, log, knows: (name) => name.includes('@') || checker.report(name) !== undefined, apply: applying(checker, events, origins) })
  const plain = makePlainTargets({ checks: config.checks.named, table, firstWord: Object.keys(config.edges).length, checker: watching(checker, events) })
  let members: readonly Member[] = []
  const edges = Object.entries(config.edges).map(([name, { capacity: most }], word) => ({ name, word, capacity: most }))
  const capacity = startCapacity({
    table,
    edges,
    clock,
    after,
    rampMs: config.checks.ramp,
    members: () => members,
    report: (name) => checker.report(name),
    wordOf: (name) => edges.find((edge) => edge.name === name)?.word ?? plain.wordOf(name),
    routedTtl: options.routedTtl ?? (() => 0)
  })
  const hear = listenToFleet(checker)
  return {
    table,
    settled: () => checker.settled(),
    adopt: plain.adopt,
    forces,
    past: events.past, announced: events.announced,
    fleet: (told) => {
      members = told
      shares.note(told)
      for (const member of told) hear.member(member)
    },
    members: () => describeMembers({ config, members, checker, forces, table, capacity, note: options.vantage?.note }),
    targets: () => describeTargets([...plain.names, ...origins.targets.map(({ name }) => name)], checker, forces),
    reason: makeReasons({ checker, forces, clock }),
    rehearse: hear.rehearse,
    close: async () => {
      saving.cancel()
      capacity.close()
      checker.close()
      options.vantage?.close()
      await Promise.all([save(), forces.close(), events.close()])
    }
  }
}

/** Saves within so long, however often that is said meanwhile, and every minute. */
function makeSaving(clock: Pick<Clock, 'elapsed'>, after: After, save: () => void): { within(milliseconds: number): void; cancel(): void } {
  let cancel: (() => void) | undefined
  let dueAt = Number.POSITIVE_INFINITY
  const within = (milliseconds: number): void => {
    const at = clock.elapsed() + milliseconds
    if (at >= dueAt) return
    cancel?.()
    dueAt = at
    cancel = after(milliseconds, () => {
      dueAt = Number.POSITIVE_INFINITY
      save()
      within(SAVE_EVERY_MS)
    })
  }
  within(SAVE_EVERY_MS)
  return { within, cancel: () => cancel?.() }
}

/** Checks targets from now on; what is known from before of the origins among them is told. */
function beginChecks(checker: Checker, { watched }: Events, targets: readonly CheckTarget[], origins: OriginHealth): void {
  checker.add(targets.map(watched))
  for (const { name } of origins.targets) origins.note(name, checker)
}

/** What others say has changed: words may have to change too, and what is decided is kept. */
function restating(checker: Checker, saving: { within(milliseconds: number): void }): () => void {
  return () => {
    checker.restate()
    saving.within(SAVE_AFTER_CHANGE_MS)
  }
}

/** What a change of a target affects: names, and its share of the requests that edges had as long as they ran. */
function makeShares(names: HealthOptions['affected']): { note(members: readonly Member[]): void; affectedBy(target: string): (Affected & { share?: number }) | undefined } {
  const rates = new Map<string, number>()
  return {
    note: (members) => {
      for (const { name, role, requestsPerSecond } of members) if (role === 'edge' && requestsPerSecond !== undefined) rates.set(name, requestsPerSecond)
    },
    affectedBy: (target) => {
      const found = names?.(target)
      const all = [...rates.values()].reduce((sum, rate) => sum + rate, 0)
      const own = rates.get(target)
      return found && { ...found, ...(all > 0 && own !== undefined && { share: own / all }) }
    }
  }
}

/** Holds a target, and has it written down why. */
function applying(checker: Checker, { forced: told }: Events, origins: OriginHealth): ForcesOptions['apply'] {
  return (name, forced, why) => {
    told(name, why)
    checker.force(name, forced)
    origins.note(name, checker)
  }
}

/** A checker whose targets' changes are written down. */
function watching(checker: Checker, { watched, gone }: Events): Pick<Checker, 'add' | 'remove'> {
  return {
    add: (targets) => checker.add(targets.map(watched)),
    remove: (names) => {
      checker.remove(names)
      gone(names)
    }
  }
}

/** Edges have their words in the table that answers read; regionals and shields in one of their own. */
function checkTargets(config: Config, port: number, table: HealthTable): CheckTarget[] {
  const edges = Object.entries(config.edges)
  const behind = [...Object.entries(config.regionals), ...Object.entries(config.shields)]
  const behindTable = makeHealthTable(behind.length)
  const target = ([name, { address: addresses, check }]: readonly [string, { readonly address: readonly string[]; readonly check: string }], own: HealthTable, index: number): CheckTarget => {
    return { name, plan: planCheck(check, config.checks.named, { name, addresses, port }), table: own, index }
  }
  return [...edges.map((edge, at) => target(edge, table, at)), ...behind.map((tier, at) => target(tier, behindTable, at))]
}

/** Turns what the supervisor tells of processes into evidence, once for each change. */
function listenToFleet(checker: Checker): { member(member: Member): void; rehearse: Health['rehearse'] } {
  const heard = new Map<string, string>()
  const rehearsed = new Set<string>()
  return {
    rehearse: (name) => {
      rehearsed.add(name)
      return () => void rehearsed.delete(name)
    },
    member: ({ name, state, since, why }) => {
      const news = `${state} ${since}`
      if (heard.get(name) === news) return
      heard.set(name, news)
      if (state === 'running') {
        rehearsed.delete(name)
        checker.evidence(name, 'back', why)
      } else if (state === 'starting') checker.evidence(name, 'starting', why)
      else checker.evidence(name, 'gone', `its process ${GONE[state]}${why === '' ? '' : `: ${why}`}`, state === 'stopping' || state === 'stopped' || rehearsed.has(name))
    }
  }
}

const GONE = { hung: 'hangs', stopping: 'is stopping', stopped: 'was stopped', failed: 'has ended' } as const
