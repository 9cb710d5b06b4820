import { mkdirSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { KeyFile } from '../core/channel.ts'
import type { EarlyThread } from '../core/early-thread.ts'
import { parseAddress } from '../core/address.ts'
import type { Config } from '../core/config.ts'
import { makeLogger } from '../core/log.ts'
import { readRegularFile } from '../core/regular-file.ts'
import { ConfigError, formatFault, messageOf } from '../core/trouble.ts'
import { startPlain, type Plain, type PlainOptions } from '../daemon/plain.ts'
import { readKeyFiles } from '../daemon/wire/index.ts'
import { failed, isSet, mistyped, numberOf, textOf, type Call } from './command.ts'
import { configFile, zonesFolder } from './folders.ts'
import { endWithNpm, whenAsked } from './foreground.ts'
import { updatesWithoutState } from './update-rules.ts'
import { loadConfigured } from './keys.ts'

/** Serves until it is told to end. @param loader begun already. @returns the exit status */
export async function serveZones(call: Call, loader: EarlyThread): Promise<number> {
  const threads = numberOf(call, 'threads')
  if (threads !== undefined && (!Number.isInteger(threads) || threads < 1 || threads > 64)) return mistyped(call.io, `--threads ${threads}: expected a whole number from 1 to 64`)
  const listen = textOf(call, 'listen')?.split(',')
  const wrong = listen?.find((address) => parseAddress(address) === undefined)
  if (wrong !== undefined) return mistyped(call.io, `--listen ${wrong}: expected an IPv4 or IPv6 address`)
  const zones = zonesFolder(call)
  if (statSync(zones.path, { throwIfNoEntry: false })?.isDirectory() !== true) return mistyped(call.io, `--zones: there is no folder ${zones.path}`)
  const configured = takeConfig(call)
  if (typeof configured === 'number') return configured
  const stateless = configured.config === undefined || textOf(call, 'state') !== undefined ? undefined : updatesWithoutState(configured.config)
  if (stateless !== undefined) return failed(call.io, stateless)
  return serve(call, { ...configured, loader, ...(threads !== undefined && { threads }), ...(listen !== undefined && { listen }) })
}

/** What is under way at the end gets this long. */
const CLOSE_MS = 500
/** And what is not over when the start is given up. */
const START_MS = 1000

type More = Pick<PlainOptions, 'config' | 'keyFiles' | 'threads' | 'listen' | 'loader'>

/** What --config and --tsig-keys say; the exit status when they are at fault, which has been told. */
function takeConfig(call: Call): More | number {
  const { io } = call
  const keyFile = textOf(call, 'tsig-keys')
  for (const option of ['config', 'tsig-keys']) {
    const path = textOf(call, option)
    if (path !== undefined && statSync(resolve(io.cwd, path), { throwIfNoEntry: false })?.isFile() !== true) return mistyped(io, `--${option}: there is no file ${path}`)
  }
  try {
    const configured = textOf(call, 'config') === undefined ? undefined : loadConfigured(configFile(call))
    const ownFiles: KeyFile[] = []
    const own = readKeyFiles(keyFile === undefined ? [] : [keyFile], (label) => {
      const path = resolve(io.cwd, label)
      const text = readRegularFile(path).toString('utf8')
      ownFiles.push({ label, path, text, mayTransferAll: true })
      return text
    })
    const twice = [...own.keys.keys()].find((name) => configured?.keys.has(name))
    if (own.faults.some(({ severity }) => severity === 'error')) throw new ConfigError(own.faults)
    for (const fault of own.faults) io.err(`${formatFault(fault)}\n`)
    if (twice !== undefined) return mistyped(io, `--tsig-keys ${keyFile}: key ${twice} is among the keys of ${textOf(call, 'config')} already`)
    if (keyFile !== undefined && own.keys.size === 0) return mistyped(io, `--tsig-keys ${keyFile}: no key is in it (tsig-keygen writes one)`)
    return {
      ...(configured !== undefined && { config: configured.config }),
      keyFiles: [...(configured?.keyFiles ?? []), ...ownFiles]
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    io.err(`${error.message}\n`)
    return 1
  }
}

async function serve(call: Call, more: More): Promise<number> {
  const { io } = call
  const end = whenAsked()
  endWithNpm()
  const state = takeState(call)
  if (typeof state === 'string') return failed(io, state)
  const log = makeLogger('dns', { readable: io.readable })
  try {
    const starting = startPlain({ zones: zonesFolder(call), ...state, port: numberOf(call, 'port') ?? portOf(more.config), lab: isSet(call, 'lab'), ...more, log })
    const server = await Promise.race([starting, end.asked])
    if (server === 'asked') {
      // Zones that are still being read do not hold up the end for long; threads that load native code are not to be ended in the middle of it.
      await Promise.race([starting.then((late) => late.close(CLOSE_MS), () => undefined), new Promise((resolve) => setTimeout(resolve, START_MS))])
      process.exit(0)
    }
    announce(call, server)
    await end.asked
    await server.close(CLOSE_MS)
    return 0
  } catch (error) {
    return failed(io, messageOf(error))
  } finally {
    end.forget()
  }
}

function portOf(config: Config | undefined): number {
  const port = config?.dns.port
  return typeof port === 'number' ? port : 53
}

/** Makes the state folder where one is wanted. A text when there can be none. */
function takeState(call: Call): { readonly stateFolder?: string } | string {
  const given = textOf(call, 'state')
  if (given === undefined) return {}
  const stateFolder = resolve(call.io.cwd, given)
  try {
    mkdirSync(stateFolder, { recursive: true, mode: 0o700 })
    return { stateFolder }
  } catch (error) {
    return `the state folder cannot be made: ${messageOf(error)}`
  }
}

function announce({ io }: Call, { zones, records, listening, notes }: Plain): void {
  for (const note of notes) io.err(`nearcast: ${note}\n`)
  const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`
  const where = [...new Set(listening.map((each) => each.replace(/\/\w+$/, '')))].join(', ')
  io.out(`serving ${count(zones, 'zone')}, ${count(records, 'record')}, over UDP and TCP at ${where}\n`)
}
