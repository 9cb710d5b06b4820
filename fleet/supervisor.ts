import { accessSync, existsSync } from 'node:fs'
import type { FromProcess, Member, Ports, Role, Setup } from '../core/channel.ts'
import type { Clock } from '../core/clock.ts'
import type { Config } from '../core/config.ts'
import type { Logger } from '../core/log.ts'
import { messageOf } from '../core/trouble.ts'
import { takeLock, type Lock } from './lock.ts'
import { choosePorts, type PortWishes } from './ports.ts'
import { becomeUser, findUser, isRoot } from './privileges.ts'
import { DAEMON, programOf, rosterOf } from './roster.ts'
import { giveStateFolder, makeStateFolder, removeFleetFile, secretIn, writeFleetFile } from './state-folder.ts'
import { Worker } from './worker.ts'

export interface FleetOptions {
  readonly config: Config
  /** Absolute paths. */
  readonly configFile: string
  readonly stateFolder: string
  readonly zonesFolder: string
  /** As the operator named them, for messages. */
  readonly stateLabel: string
  readonly zonesLabel: string
  readonly ports: PortWishes
  /** Log lines are read by a person. */
  readonly readable: boolean
  readonly clock: Clock
  readonly log: Logger
  /** The program of a role, when it is not the fleet's own. */
  readonly program?: (role: Role) => string
}

/** A fleet that is coming up or runs. */
export interface Fleet {
  readonly ports: Ports
  readonly adminToken: string
  /** What was not as asked for, a line each. */
  readonly notes: readonly string[]
  /** Settles once every process has been ready, or with the reason why the fleet cannot run. */
  readonly ready: Promise<string | undefined>
  members(): Member[]
  /** Ends every process, within two seconds. */
  stop(): Promise<void>
}

const WATCH_EVERY_MS = 100
/** How long processes get to finish when the fleet ends. */
const END_WITHIN_MS = 900
/** The same when an operator stops one. */
const STOP_WITHIN_MS = 5000
const DAEMON_HUNG_MS = 5000
const WORKER_HUNG_MS = 60_000

/**
 * Takes the state folder, chooses the ports and starts every process.
 * @returns the fleet, or in one line why there is none
 */
export async function startFleet(options: FleetOptions): Promise<Fleet | string> {
  const notes: string[] = []
  const trouble = takePlace(options, notes)
  if (trouble !== undefined) return trouble
  const lock = takeLock(options.stateFolder)
  if (typeof lock === 'number') return alreadyRunning(options.stateLabel, lock)
  const chosen = await choosePorts(options.config, options.ports)
  if (typeof chosen === 'string') {
    lock.release()
    return chosen
  }
  const { ports, listen } = chosen
  notes.push(...chosen.notes)
  const config: Config = { ...options.config, dns: { ...options.config.dns, listen: [...listen] } }
  const adminToken = secretIn(options.stateFolder, 'admin.token')
  const tierSecret = secretIn(options.stateFolder, 'tier.secret')
  const { stateFolder, zonesFolder, zonesLabel, readable } = options
  const common = { config, ports, stateFolder, zonesFolder, zonesLabel, tierSecret, readable }
  return run(options, lock, notes, (role, name): Setup => ({ ...common, role, name, ...(role === 'daemon' && { adminToken }) }), adminToken)
}

/** Makes the state folder and, when started as root for another user, becomes that user: whatever follows is what workers may do too. */
function takePlace({ config, stateFolder, stateLabel }: FleetOptions, notes: string[]): string | undefined {
  try {
    makeStateFolder(stateFolder)
    if (config.user === undefined) return undefined
    if (!isRoot()) {
      notes.push(`user: ${config.user} is for a start as root, and was left out`)
      return undefined
    }
    const user = findUser(config.user)
    if (user === undefined) return `user: there is no user ${config.user} on this system`
    giveStateFolder(stateFolder, user.uid, user.gid)
    const lost = becomeUser(user)
    if (lost !== undefined) notes.push(lost)
    return accessTrouble(user.name, stateFolder)
  } catch (error) {
    return `the state folder ${stateLabel} cannot be used: ${messageOf(error)}`
  }
}

/** A user other than root may not reach a checkout in somebody's home. */
function accessTrouble(user: string, stateFolder: string): string | undefined {
  for (const path of [stateFolder, programOf('daemon')]) {
    try {
      accessSync(path)
    } catch {
      return `user: ${user} may not reach ${path}`
    }
  }
  return undefined
}

function alreadyRunning(stateLabel: string, pid: number): string {
  return `a fleet already runs on the state folder ${stateLabel}${pid === 0 ? '' : `, pid ${pid}`} (nearcast status shows it; --state DIR starts another beside it)`
}

function run(options: FleetOptions, lock: Lock, notes: readonly string[], setupFor: (role: Role, name: string) => Setup, adminToken: string): Fleet {
  const { clock, log, config, stateFolder } = options
  const workers: Worker[] = []
  const waiting = new Set<string>()
  let ended: Promise<void> | undefined
  let allGone: () => void = () => undefined
  let settle: (trouble: string | undefined) => void = () => undefined
  const ready = new Promise<string | undefined>((resolve) => {
    settle = resolve
  })
  const whenGone = (): void => {
    if (!workers.some(({ alive }) => alive)) allGone()
  }
  const members = (): Member[] => workers.map((worker) => worker.snapshot())
  const daemon = (): Worker | undefined => workers.find(({ post }) => post.role === 'daemon')
  const tellDaemon = (): void => daemon()?.send({ kind: 'fleet', members: members() })
  const changed = (worker: Worker): void => {
    if (ended !== undefined) {
      whenGone()
      return
    }
    const { name, role, state, why, pid } = worker.snapshot()
    const level = state === 'failed' || state === 'hung' ? 'warn' : state === 'stopped' || why === 'heard again' ? 'info' : 'debug'
    log[level]({ pid }, `${role} ${name} ${state}: ${why}`)
    tellDaemon()
  }
  const heard = (worker: Worker, message: FromProcess): void => {
    if (message.kind === 'ready') {
      waiting.delete(keyOf(worker))
      for (const note of message.notes ?? []) log.info(note)
      if (worker.post.role === 'daemon') tellDaemon()
      if (waiting.size === 0) settle(undefined)
    } else if (message.kind === 'refused') {
      if (waiting.has(keyOf(worker))) settle(`${worker.post.role} ${worker.post.name}: ${message.reason}`)
    } else if (message.kind === 'request') {
      const error = ended === undefined ? obey(workers, message) : 'the fleet is ending'
      worker.send(error === undefined ? { kind: 'reply', id: message.id } : { kind: 'reply', id: message.id, error })
    }
  }
  for (const post of rosterOf(config)) {
    const program = (options.program ?? programOf)(post.role)
    if (!existsSync(program)) continue
    const killHungAfter = post.role === 'daemon' ? DAEMON_HUNG_MS : WORKER_HUNG_MS
    workers.push(new Worker({ post, setup: setupFor(post.role, post.name), program, clock, killHungAfter, changed, heard }))
  }
  for (const worker of workers) waiting.add(keyOf(worker))
  for (const worker of workers) worker.start()
  const timers = [watchEvery(workers, clock), setInterval(() => everySecond(workers, tellDaemon), 1000)]
  const { ports } = setupFor('daemon', DAEMON)
  writeFleetFile(stateFolder, {
    pid: process.pid,
    startedAt: clock.now(),
    admin: { address: config.admin.listen, port: ports.admin },
    ports,
    zones: options.zonesFolder,
    config: options.configFile
  })
  const stop = (): Promise<void> => {
    ended ??= new Promise<void>((resolve) => {
      allGone = resolve
    }).then(() => {
      for (const timer of timers) clearInterval(timer)
      removeFleetFile(stateFolder)
      lock.release()
    })
    for (const worker of workers) worker.stop(END_WITHIN_MS, 'the fleet ends')
    whenGone()
    return ended
  }
  return { ports, adminToken, notes, ready, members, stop }
}

const keyOf = ({ post }: Worker): string => `${post.role}/${post.name}`

function watchEvery(workers: readonly Worker[], clock: Clock): NodeJS.Timeout {
  let last = clock.elapsed()
  return setInterval(() => {
    const now = clock.elapsed()
    // Held up itself (stopped, or the machine slept), the supervisor has heard nobody; their messages are read next.
    const late = now - last > 5 * WATCH_EVERY_MS
    last = now
    for (const worker of workers) {
      if (late) worker.forgive()
      worker.watch()
    }
  }, WATCH_EVERY_MS)
}

function everySecond(workers: readonly Worker[], tellDaemon: () => void): void {
  for (const worker of workers) worker.sample()
  tellDaemon()
}

/** Does what the daemon was asked to have done; returns why not. */
function obey(workers: readonly Worker[], request: Extract<FromProcess, { kind: 'request' }>): string | undefined {
  const worker = workers.find(({ post }) => post.name === request.name && post.role !== 'origin') ?? workers.find(({ post }) => post.name === request.name)
  if (worker === undefined) return `there is no member ${request.name}`
  if (request.verb === 'start') worker.start('started by operator')
  else if (worker.post.role === 'daemon' && request.verb === 'stop') return 'the daemon is not stopped on its own: stop the fleet'
  else if (request.verb === 'stop') worker.stop(STOP_WITHIN_MS, 'stopped by operator', request.forMs)
  else if (!worker.alive) return `${request.name} does not run`
  else worker.kill(request.forMs)
  return undefined
}
