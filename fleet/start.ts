import { accessSync } from 'node:fs'
import type { KeyFile, Member, Ports, Role, Setup } from '../core/channel.ts'
import type { Clock } from '../core/clock.ts'
import type { Config } from '../core/config.ts'
import type { Logger } from '../core/log.ts'
import { native } from '../core/native.ts'
import { messageOf } from '../core/trouble.ts'
import { keepCertificates } from './authority/index.ts'
import { startDeadman } from './deadman.ts'
import { takeLock } from './lock.ts'
import { choosePorts, type PortWishes } from './ports.ts'
import { becomeUser, findUser, isRoot } from './privileges.ts'
import { programOf, rosterOf } from './roster.ts'
import { giveStateFolder, makeStateFolder, removeFleetFile, secretIn, writeFleetFile, type FleetFile } from './state-folder.ts'
import { Supervisor } from './supervisor.ts'

export interface FleetOptions {
  readonly config: Config
  /** The files of keys that it names, for the daemon. */
  readonly keyFiles?: readonly KeyFile[]
  /** The file with the key that PoPs share, for the daemon. */
  readonly popKeys?: KeyFile | undefined
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
  /** The command of the process that ends announcements when the daemon is dead; absent where nothing is announced. */
  readonly deadman?: readonly string[] | undefined
  /** The program of a role, when it is not the fleet's own. */
  readonly program?: (role: Role) => string
}

/** A fleet that is coming up or runs. */
export interface Fleet {
  readonly ports: Ports
  /** Where DNS listens: the addresses of `dns.listen` that this machine has. */
  readonly listen: readonly string[]
  /** Why `auto` did not come to port 53. */
  readonly not53?: string
  /** What was written for the command line. */
  readonly file: FleetFile
  readonly adminToken: string
  /** What was not as asked for, a line each. */
  readonly notes: readonly string[]
  /** Settles once every process has been ready, or with the reason why the fleet cannot run. */
  readonly ready: Promise<string | undefined>
  members(): Member[]
  /** Ends every process, within two seconds, and lets go of the state folder. */
  stop(): Promise<void>
}

/**
 * Takes the state folder, chooses the ports and starts every process.
 * @returns the fleet, or in one line why there is none
 */
export async function startFleet(options: FleetOptions): Promise<Fleet | string> {
  try {
    return await start(options)
  } catch (error) {
    // Files of another user, a full disk: the operator's to mend. Anything else is ours.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error
    return `the state folder ${options.stateLabel} cannot be used: ${messageOf(error)}`
  }
}

async function start(options: FleetOptions): Promise<Fleet | string> {
  const { stateFolder, zonesFolder, zonesLabel, readable, clock, log } = options
  const notes: string[] = []
  const trouble = takePlace(options, notes)
  if (trouble !== undefined) return trouble
  const lock = takeLock(stateFolder, native())
  if (typeof lock === 'number') return alreadyRunning(options.stateLabel, lock)
  const chosen = await choosePorts(options.config, options.ports)
  if (typeof chosen === 'string') {
    lock.release()
    return chosen
  }
  const { ports, listen, not53 } = chosen
  const config: Config = { ...options.config, dns: { ...options.config.dns, listen: [...listen] } }
  const adminToken = secretIn(stateFolder, 'admin.token')
  const common = { config, ports, stateFolder, zonesFolder, zonesLabel, tierSecret: secretIn(stateFolder, 'tier.secret'), readable }
  const setupFor = (role: Role, name: string): Setup => ({ ...common, role, name, ...(role === 'daemon' && { adminToken, keyFiles: options.keyFiles ?? [], ...(options.popKeys !== undefined && { popKeys: options.popKeys }) }) })
  const file: FleetFile = { pid: process.pid, startedAt: clock.now(), admin: { address: config.admin.listen, port: ports.admin }, ports, zones: zonesFolder, config: options.configFile }
  writeFleetFile(stateFolder, file)
  const renewal = config.https === undefined ? undefined : renewCertificates(options)
  const supervisor = new Supervisor({ posts: rosterOf(config), program: options.program ?? programOf, setupFor, stateFolder, clock, log })
  const deadman = options.deadman && startDeadman({ command: options.deadman, log })
  let ended: Promise<void> | undefined
  const stop = (): Promise<void> => {
    clearInterval(renewal)
    // Last of all: what is announced is withdrawn once nothing answers any more.
    ended ??= supervisor.stop().then(() => deadman?.stop()).then(() => {
      removeFleetFile(stateFolder)
      lock.release()
    })
    return ended
  }
  const found = { ports, listen, ...(not53 !== undefined && { not53 }) }
  return { ...found, file, adminToken, notes: [...notes, ...chosen.notes], ready: supervisor.ready, members: () => supervisor.members(), stop }
}

const RENEWAL_MS = 3600_000

/** Sees to the fleet's own certificates now and every hour. The edges look at the files themselves. */
function renewCertificates({ stateFolder, config, clock, log }: FleetOptions): NodeJS.Timeout {
  const keep = (): void => {
    for (const made of keepCertificates(stateFolder, config, clock.now())) log.info(`TLS: made ${made}`)
  }
  keep()
  return setInterval(() => {
    try {
      keep()
    } catch (error) {
      log.error(`TLS: the certificates cannot be renewed: ${messageOf(error)}`)
    }
  }, RENEWAL_MS)
}

/** Makes the state folder and, when started as root for another user, becomes that user: whatever follows is what workers may do too. */
function takePlace({ config, stateFolder }: FleetOptions, notes: string[]): string | undefined {
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
