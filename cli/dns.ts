import { mkdirSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseAddress } from '../core/address.ts'
import { makeLogger } from '../core/log.ts'
import { messageOf } from '../core/trouble.ts'
import type { Plain } from '../daemon/plain.ts'
import { failed, isSet, mistyped, numberOf, textOf, type Call, type Command } from './command.ts'
import { zonesFolder } from './folders.ts'
import { endWithNpm, whenAsked } from './foreground.ts'

export const dns: Command = {
  name: 'dns',
  summary: 'serve the zones of a folder, and nothing else: a plain authoritative server',
  details: [
    'Answers for every ORIGIN.zone of the folder until INT or TERM, and follows what is edited there.',
    'There is no fleet, no health check and no admin API, and nearcast.yaml is not read; a policies.yaml',
    'beside the zones may name addresses.'
  ],
  arguments: [],
  options: {
    zones: { kind: 'folder', value: 'DIR', summary: 'folder of the zones (default: zones/)' },
    port: { kind: 'port', value: 'N', summary: 'port for UDP and TCP (default: 53)' },
    listen: { kind: 'text', value: 'ADDRESSES', summary: 'addresses, with commas between them (default: 127.0.0.1,::1)' },
    threads: { kind: 'number', value: 'N', summary: 'UDP threads (default: one per core, four at most)' },
    state: { kind: 'folder', value: 'DIR', summary: 'where the last good zones are kept for the next start (default: nowhere)' },
    lab: { kind: 'flag', summary: 'for experiments: transfers from loopback without a key, and no response rate limiting' }
  },
  examples: ['nearcast dns --zones /etc/nsd/zones --port 5301', 'nearcast dns --zones /srv/zones --listen 192.0.2.53,2001:db8::53 --state /var/lib/nearcast'],
  run: async (call) => {
    const threads = numberOf(call, 'threads')
    if (threads !== undefined && (!Number.isInteger(threads) || threads < 1 || threads > 64)) return mistyped(call.io, `--threads ${threads}: expected a whole number from 1 to 64`)
    const listen = textOf(call, 'listen')?.split(',')
    const wrong = listen?.find((address) => parseAddress(address) === undefined)
    if (wrong !== undefined) return mistyped(call.io, `--listen ${wrong}: expected an IPv4 or IPv6 address`)
    const zones = zonesFolder(call)
    if (statSync(zones.path, { throwIfNoEntry: false })?.isDirectory() !== true) return mistyped(call.io, `--zones: there is no folder ${zones.path}`)
    return serve(call, { ...(threads !== undefined && { threads }), ...(listen !== undefined && { listen }) })
  }
}

/** What is under way at the end gets this long. */
const CLOSE_MS = 500

async function serve(call: Call, more: { threads?: number; listen?: readonly string[] }): Promise<number> {
  const { io } = call
  const end = whenAsked()
  endWithNpm()
  const state = takeState(call)
  if (typeof state === 'string') return failed(io, state)
  // Loaded here, so that no other command waits for it.
  const { startPlain } = await import('../daemon/plain.ts')
  const log = makeLogger('dns', { readable: io.readable })
  try {
    const starting = startPlain({ zones: zonesFolder(call), ...state, port: numberOf(call, 'port') ?? 53, lab: isSet(call, 'lab'), ...more, log })
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
