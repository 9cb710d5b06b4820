import { mkdirSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { KeyFile } from '../core/channel.ts'
import { parseAddress } from '../core/address.ts'
import type { Config } from '../core/config.ts'
import { makeLogger } from '../core/log.ts'
import { readRegularFile } from '../core/regular-file.ts'
import { ConfigError, formatFault, messageOf } from '../core/trouble.ts'
import type { Plain, PlainOptions } from '../daemon/plain.ts'
import { readKeyFiles } from '../daemon/wire/index.ts'
import { failed, isSet, mistyped, numberOf, textOf, type Call, type Command } from './command.ts'
import { configFile, zonesFolder } from './folders.ts'
import { endWithNpm, whenAsked } from './foreground.ts'
import { updatesWithoutState } from './update-rules.ts'
import { loadConfigured } from './keys.ts'

export const dns: Command = {
  name: 'dns',
  summary: 'serve the zones of a folder, and nothing else: a plain authoritative server',
  details: [
    'Answers for every ORIGIN.zone of the folder until INT or TERM, and follows what is edited there.',
    'There is no fleet, no health check and no admin API; a policies.yaml beside the zones may name addresses.',
    'Of the nearcast.yaml given by --config, dns, geo, keys, peers and zones count, and what is given here goes',
    'before it; without --config none is read.'
  ],
  arguments: [],
  options: {
    zones: { kind: 'folder', value: 'DIR', summary: 'folder of the zones (default: zones/)' },
    port: { kind: 'port', value: 'N', summary: 'port for UDP and TCP (default: 53)' },
    listen: { kind: 'text', value: 'ADDRESSES', summary: 'addresses, with commas between them (default: 127.0.0.1,::1)' },
    threads: { kind: 'number', value: 'N', summary: 'UDP threads (default: one per core, four at most)' },
    config: { kind: 'file', value: 'FILE', summary: 'a nearcast.yaml: listeners, keys, peers, and who may transfer, notify and update which zone' },
    'tsig-keys': { kind: 'file', value: 'FILE', summary: 'TSIG keys in the syntax of BIND: whoever signs with one of them may transfer every zone' },
    state: { kind: 'folder', value: 'DIR', summary: 'where the last good zones are kept for the next start (default: nowhere)' },
    lab: { kind: 'flag', summary: 'for experiments: transfers from loopback without a key, and no response rate limiting' }
  },
  examples: ['nearcast dns --zones /etc/nsd/zones --port 5301', 'nearcast dns --zones /srv/zones --listen 192.0.2.53,2001:db8::53 --state /var/lib/nearcast', 'nearcast dns --zones /srv/zones --tsig-keys transfer.keys'],
  run: async (call) => {
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
    return serve(call, { ...configured, ...(threads !== undefined && { threads }), ...(listen !== undefined && { listen }) })
  }
}

/** What is under way at the end gets this long. */
const CLOSE_MS = 500

type More = Pick<PlainOptions, 'config' | 'keyFiles' | 'threads' | 'listen'>

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
  // Loaded here, so that no other command waits for it.
  const { startPlain } = await import('../daemon/plain.ts')
  const log = makeLogger('dns', { readable: io.readable })
  try {
    const starting = startPlain({ zones: zonesFolder(call), ...state, port: numberOf(call, 'port') ?? portOf(more.config), lab: isSet(call, 'lab'), ...more, log })
    const server = await Promise.race([starting, end.asked])
    if (server === 'asked') {
      // Zones that are still being read do not hold up the end.
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
