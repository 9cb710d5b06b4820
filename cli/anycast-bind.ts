import { spawnSync } from 'node:child_process'
import { networkInterfaces } from 'node:os'
import type { Anycast } from '../core/config-anycast.ts'
import { parseAddress, formatAddress } from '../core/address.ts'
import { ConfigError } from '../core/trouble.ts'
import type { AnycastStatus } from '../daemon/control/api.ts'
import { renderInclude } from '../daemon/anycast/index.ts'
import { openAdmin } from './admin-client.ts'
import { failed, isSet, type Call } from './command.ts'
import { configFile } from './folders.ts'
import { loadConfigured } from './keys.ts'

/** Puts every service address on the loopback; those that are there already stay. */
export async function bind(call: Call): Promise<number> {
  return change(call, 'add', (address) => `${address} is bound on lo`)
}

/** Takes them off again, unless they are announced. */
export async function unbind(call: Call): Promise<number> {
  const held = isSet(call, 'force') ? undefined : await announcedStill(call)
  if (held !== undefined) return failed(call.io, held)
  return change(call, 'del', (address) => `${address} is not bound any more`)
}

/** The include as it is while nothing is announced. */
export async function birdConf(call: Call): Promise<number> {
  const settings = settingsOf(call)
  if (typeof settings === 'number') return settings
  call.io.out(renderInclude([], settings))
  return 0
}

function settingsOf(call: Call): Anycast | number {
  const file = configFile(call)
  try {
    const { anycast } = loadConfigured(file).config
    return anycast ?? failed(call.io, `${file.label} has no anycast:`)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    call.io.err(`${error.message}\n`)
    return 1
  }
}

async function announcedStill(call: Call): Promise<string | undefined> {
  const admin = openAdmin(call)
  if (typeof admin === 'string') return undefined
  const status = await admin.get<AnycastStatus>('/v1/anycast')
  const left = 'prefixes' in status ? status.prefixes.filter(({ isSettled }) => !isSettled).map(({ prefix, state }) => `${prefix} is ${state === 'withdrawn' ? 'withdrawn, and has not settled' : state}`) : []
  return left.length === 0 ? undefined : `${left.join('; ')}: drain first (nearcast anycast drain), or --force`
}

interface Changed {
  readonly address: string
  readonly changed: boolean
}

function change(call: Call, verb: 'add' | 'del', told: (address: string) => string): number {
  const settings = settingsOf(call)
  if (typeof settings === 'number') return settings
  const bound = new Set((networkInterfaces()['lo'] ?? []).map(({ address }) => address))
  const done: Changed[] = []
  for (const text of new Set(Object.values(settings.prefixes).flatMap(({ addresses }) => addresses))) {
    const { family, bytes } = parseAddress(text)!
    const address = formatAddress(bytes)
    const isNeeded = bound.has(address) !== (verb === 'add')
    const trouble = isNeeded ? runIp([`-${family}`, 'address', verb, `${address}/${family === 4 ? 32 : 128}`, 'dev', 'lo', ...(verb === 'add' && family === 6 ? ['nodad'] : [])]) : undefined
    if (trouble !== undefined) return failed(call.io, `${address} cannot be ${verb === 'add' ? 'bound' : 'taken off'}: ${trouble}`)
    done.push({ address, changed: isNeeded })
  }
  call.io.out(isSet(call, 'json') ? `${JSON.stringify({ addresses: done })}\n` : done.map(({ address, changed }) => `${told(address)}${changed ? '' : ', as it was'}\n`).join(''))
  return 0
}

/** Runs ip(8); why it would not. */
function runIp(words: readonly string[]): string | undefined {
  const { status, stderr, error } = spawnSync('ip', words, { encoding: 'utf8' })
  if (error !== undefined) return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no command ip here (package iproute2)' : error.message
  if (status === 0) return undefined
  const why = stderr.trim().split('\n')[0] ?? ''
  return /not permitted/.test(why) ? 'it takes root, or CAP_NET_ADMIN' : why.replace(/^RTNETLINK answers: /, '')
}
