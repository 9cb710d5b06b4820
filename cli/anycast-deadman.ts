import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemAfter, systemClock } from '../core/clock.ts'
import { makeLogger, type Logger } from '../core/log.ts'
import { native } from '../core/native.ts'
import { ConfigError, messageOf } from '../core/trouble.ts'
import { Deadman, readAnycastState } from '../daemon/anycast/index.ts'
import { PopKeys } from '../daemon/control/index.ts'
import { keysFor, leasesOf, openChannel, type Channel } from '../daemon/pops/index.ts'
import { isAlive, takeLock } from '../fleet/index.ts'
import { failed, numberOf, type Call } from './command.ts'
import { configFile, stateFolder } from './folders.ts'
import { whenAsked } from './foreground.ts'
import { loadConfigured, type Configured } from './keys.ts'

/** How long an end may take: demoted first, then withdrawn. */
const END_WITHIN_MS = 2500
const WAIT_FOR_TURN_MS = 500
const DIES_WITHIN_MS = 30_000

/** Withdraws what a daemon that crashed has left announced, where nobody watches it. Without a crash nothing is done. */
export async function release(call: Call): Promise<number> {
  const file = configFile(call)
  let configured: Configured
  try {
    configured = loadConfigured(file)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    call.io.err(`${error.message}\n`)
    return 1
  }
  const folder = stateFolder(call).path
  const left = readAnycastState(folder)
  if (configured.config.anycast === undefined || left === undefined || left.hasEnded || isAlive(left.pid)) return 0
  mkdirSync(join(folder, 'deadman'), { recursive: true, mode: 0o700 })
  if (typeof takeLock(join(folder, 'deadman'), native()) === 'number') return 0
  return watch(call, configured, folder, Promise.resolve('asked'))
}

/** Watches the daemon that runs on a state folder, in the foreground, until it is asked to end. One at a time does so; the next waits for its turn. */
export async function deadman(call: Call): Promise<number> {
  const { io } = call
  const file = configFile(call)
  let configured: Configured
  try {
    configured = loadConfigured(file)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    io.err(`${error.message}\n`)
    return 1
  }
  if (configured.config.anycast === undefined) return failed(io, `${file.label} has no anycast:, and so there is nothing to watch`)
  const end = whenAsked()
  let isEnding = false
  void end.asked.then(() => {
    isEnding = true
  })
  const folder = stateFolder(call).path
  mkdirSync(join(folder, 'deadman'), { recursive: true, mode: 0o700 })
  while (typeof takeLock(join(folder, 'deadman'), native()) === 'number') {
    if (isEnding || fleetIsGone(call)) return 0
    await sleep(WAIT_FOR_TURN_MS)
  }
  return watch(call, configured, folder, end.asked)
}

async function watch(call: Call, configured: Configured, folder: string, asked: Promise<'asked'>): Promise<number> {
  let watcher = await openWatcher(call, configured, folder)
  // What keeps the process: its own timers do not.
  let isReading = false
  let text = configText(call)
  let daemon = readAnycastState(folder)?.pid
  const life = setInterval(() => {
    const now = readAnycastState(folder)?.pid
    if (now === daemon || isReading) return
    // A daemon that was started anew goes by the configuration as it is now; so does whoever watches it.
    daemon = now
    isReading = true
    void readAgain().finally(() => {
      isReading = false
    })
  }, WAIT_FOR_TURN_MS)
  async function readAgain(): Promise<void> {
    const changed = configText(call)
    if (changed === undefined || changed === text) return
    text = changed
    const log = makeLogger('deadman', { readable: call.io.readable, level: configured.config.log })
    try {
      const next = loadConfigured(configFile(call))
      if (next.config.anycast === undefined) return log.warn(`dead-man: ${configFile(call).label} has no anycast: any more, and what was announced is watched as before`)
      watcher.close()
      watcher = await openWatcher(call, next, folder)
      log.info(`dead-man: ${configFile(call).label} was changed, and has been read again with the daemon`)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      log.error(`dead-man: the configuration of before counts: ${error.message}`)
    }
  }
  await Promise.race([asked, whenAlone(call, () => watcher)])
  await watcher.end(END_WITHIN_MS)
  clearInterval(life)
  // Whatever is still on its way does not hold it up.
  process.exit(0)
}

/** The configuration as it stands in its file. */
function configText(call: Call): string | undefined {
  try {
    return readFileSync(configFile(call).path, 'utf8')
  } catch {
    return undefined
  }
}

async function openWatcher(call: Call, { config, popKeys }: Configured, stateFolder: string): Promise<Deadman> {
  const log = makeLogger('deadman', { readable: call.io.readable, level: config.log })
  const channel = await openDeadmen({ config, popKeys }, log)
  return new Deadman({ config: { ...config, anycast: config.anycast! }, stateFolder, channel, isAlive, clock: systemClock, after: systemAfter, log })
}

/** Resolves when its fleet was killed, and all that was announced is withdrawn. Where the rules forbid that, it is demoted until they no longer do. */
async function whenAlone(call: Call, watcher: () => Deadman): Promise<void> {
  while (!fleetIsGone(call)) await sleep(WAIT_FOR_TURN_MS)
  watcher().loseFleet()
  // The daemon dies with its fleet, and that takes a moment to be seen.
  for (let waited = 0; !watcher().isActing && waited < DIES_WITHIN_MS; waited += WAIT_FOR_TURN_MS) await sleep(WAIT_FOR_TURN_MS)
  while (watcher().isActing && !watcher().isWithdrawn) await sleep(WAIT_FOR_TURN_MS)
}

function fleetIsGone(call: Call): boolean {
  const fleet = numberOf(call, 'fleet')
  return fleet !== undefined && !isAlive(fleet)
}

/** The way to the dead-men of the other PoPs: the port after that of the daemons. */
async function openDeadmen({ config, popKeys }: Pick<Configured, 'config' | 'popKeys'>, log: Logger): Promise<Channel | undefined> {
  const { pops } = config
  if (pops === undefined || popKeys === undefined) return undefined
  const { name, listen, port, others, lease } = pops
  const keys = new PopKeys({ first: popKeys, file: pops.keys, clock: systemClock, after: systemAfter, log })
  const theirs = Object.fromEntries(Object.entries(others).map(([other, at]) => [other, { address: at.address, port: at.port + 1 }]))
  try {
    const quiet = log.child({}, { level: 'error' })
    const channel = await openChannel({ name, listen, port: port + 1, others: theirs, keys: keysFor('dead-men', () => keys.now), leases: leasesOf(lease), skewMs: pops['clock-skew'], clock: systemClock, after: systemAfter, log: quiet })
    return {
      ...channel,
      close: () => {
        channel.close()
        keys.close()
      }
    }
  } catch (error) {
    log.warn(`dead-man: the dead-men of other PoPs are not heard, and what they said last counts: ${messageOf(error)}`)
    return undefined
  }
}
