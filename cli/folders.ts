import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { textOf, type Call, type OptionSpec } from './command.ts'

/** The folder with package.json, two above the compiled file. */
export const packageRoot = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

/** A path as it is used, and as it is shown to the operator. */
export interface NamedPath {
  readonly path: string
  readonly label: string
}

/** The option by which every command but `up` finds its fleet. */
export const STATE: OptionSpec = { kind: 'folder', value: 'DIR', summary: 'state folder of the fleet (default: state/)' }

/** What `up --help` says of the defaults. */
export const DEFAULTS = [
  'Without --config the nearcast.yaml of the current folder is taken, or the one that comes with Nearcast',
  'when there is none; zones/ and state/ stand beside it.'
]

/** The current folder when a nearcast.yaml stands there, else the package's. */
function home(cwd: string): string {
  return existsSync(join(cwd, 'nearcast.yaml')) ? cwd : packageRoot
}

export function configFile(call: Call): NamedPath {
  return named(call, textOf(call, 'config') ?? join(home(call.io.cwd), 'nearcast.yaml'))
}

export function zonesFolder(call: Call): NamedPath {
  const given = textOf(call, 'zones')
  if (given !== undefined) return named(call, given, '/')
  const beside = join(dirname(configFile(call).path), 'zones')
  return named(call, existsSync(beside) ? beside : join(home(call.io.cwd), 'zones'), '/')
}

export function stateFolder(call: Call): NamedPath {
  return named(call, textOf(call, 'state') ?? join(home(call.io.cwd), 'state'), '/')
}

/** ` --state DIR` as it was given, for the commands we tell to type next; empty for the default fleet. */
export function stateOption(call: Call): string {
  const given = textOf(call, 'state')
  return given === undefined ? '' : ` --state ${given}`
}

/** Shown relative to the current folder when it lies below, else in full. */
function named(call: Call, given: string, ending = ''): NamedPath {
  const path = resolve(call.io.cwd, given)
  const below = relative(call.io.cwd, path)
  const shown = below === '' ? '.' : below.startsWith('..') ? path : below
  return { path, label: shown.endsWith(ending) ? shown : `${shown}${ending}` }
}
