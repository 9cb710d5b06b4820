import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../core/config.ts'
import { systemClock } from '../core/clock.ts'
import { makeLogger } from '../core/log.ts'
import { ConfigError } from '../core/trouble.ts'
import { startFleet, type Fleet } from '../fleet/index.ts'
import { failed, mistyped, numberOf, type Call, type Command } from './command.ts'
import { endWithNpm, systemdWishes, whenAsked } from './foreground.ts'
import { configFile, DEFAULTS, packageRoot, stateFolder, zonesFolder } from './folders.ts'
import { loadConfigured, type Configured } from './keys.ts'
import { tellSystemd } from './systemd.ts'
import { welcome } from './welcome.ts'

export const up: Command = {
  name: 'up',
  summary: 'bring up the whole fleet in this terminal; Ctrl-C ends it',
  details: DEFAULTS,
  arguments: [],
  options: {
    config: { kind: 'file', value: 'FILE', summary: 'configuration (default: nearcast.yaml)' },
    zones: { kind: 'folder', value: 'DIR', summary: 'zone files and policies.yaml (default: zones/ beside the configuration)' },
    port: { kind: 'port', value: 'N', summary: 'DNS port (default: 53 where that is allowed and free, else 5300)' },
    'http-port': { kind: 'port', value: 'N', summary: 'HTTP port of every worker; when it is taken, the next free one (default: 8080)' },
    'https-port': { kind: 'port', value: 'N', summary: 'HTTPS port of the edges, where HTTPS is configured (default: 8443)' },
    'admin-port': { kind: 'port', value: 'N', summary: 'port of the admin API (default: 8053)' },
    state: { kind: 'folder', value: 'DIR', summary: 'what is kept over restarts; one for each fleet (default: state/)' }
  },
  examples: ['npm start', 'npm start -- --port 5301', 'nearcast up --config /etc/nearcast/nearcast.yaml --state /var/lib/nearcast'],
  run: async (call) => {
    const file = configFile(call)
    const zones = zonesFolder(call)
    for (const [option, { path }] of [['config', file], ['zones', zones]] as const) {
      if (!existsSync(path)) return mistyped(call.io, `--${option}: there is no ${path}`)
    }
    let configured: Configured
    try {
      configured = loadConfigured(file)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      call.io.err(`${error.message}\n`)
      return 1
    }
    return runFleet(call, configured)
  }
}

/** How long the start-up text waits for the last process, and when it must stand. */
const WAIT_FOR_READY_MS = 7500
const TEXT_BY_MS = 9000
/** The first round of checks goes to all at once; the text waits this long for it. */
const FIRST_ROUND_MS = 3000

async function runFleet(call: Call, configured: Configured): Promise<number> {
  const { config } = configured
  const end = whenAsked()
  const began = systemClock.elapsed()
  const fleet = await launch(call, configured)
  if (typeof fleet === 'string') return failed(call.io, fleet)
  endWithNpm()
  for (const note of fleet.notes) call.io.err(`nearcast: ${note}\n`)
  const trouble = fleet.ready.then((reason) => (reason === undefined ? new Promise<never>(() => undefined) : reason))
  tellSystemd(systemdWishes(), fleet.ready, (line) => call.io.err(`nearcast: ${line}\n`))
  void greet(call, config, fleet, began)
  const last = await Promise.race([end.asked, trouble])
  await fleet.stop()
  end.forget()
  return last === 'asked' ? 0 : failed(call.io, last)
}

/** Prints the start-up text once all are ready and checked; before that too, with what is known, when they take long. */
async function greet(call: Call, config: Config, fleet: Fleet, began: number): Promise<void> {
  const soon = new Promise<'late'>((resolve) => setTimeout(() => resolve('late'), WAIT_FOR_READY_MS).unref())
  const ready = fleet.ready.then((reason) => (reason === undefined ? 'ready' : 'failed'))
  const first = await Promise.race([soon, ready])
  if (first === 'late') {
    if (await welcome(call, config, fleet, began, began + TEXT_BY_MS)) return
  }
  if ((await ready) === 'ready') await welcome(call, config, fleet, began, systemClock.elapsed() + FIRST_ROUND_MS)
}

function launch(call: Call, { config, keyFiles, popKeys }: Configured): Promise<Fleet | string> {
  const { io } = call
  const state = stateFolder(call)
  const zones = zonesFolder(call)
  const wish = (name: 'dns' | 'http' | 'https' | 'admin', option: string): object => {
    const port = numberOf(call, option)
    return port === undefined ? {} : { [name]: port }
  }
  return startFleet({
    config,
    keyFiles,
    popKeys,
    deadman: config.anycast && [process.execPath, join(packageRoot, 'bin/nearcast.js'), 'anycast', 'deadman', '--config', configFile(call).path, '--state', state.path, '--fleet', String(process.pid)],
    configFile: configFile(call).path,
    stateFolder: state.path,
    stateLabel: state.label,
    zonesFolder: zones.path,
    zonesLabel: zones.label,
    ports: { ...wish('dns', 'port'), ...wish('http', 'http-port'), ...wish('https', 'https-port'), ...wish('admin', 'admin-port') },
    readable: io.readable,
    clock: systemClock,
    log: makeLogger('fleet', { readable: io.readable, level: config.log })
  })
}
