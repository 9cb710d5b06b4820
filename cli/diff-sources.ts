import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { withAliases } from '../daemon/traffic/index.ts'
import { nameToText, TYPE } from '../daemon/wire/index.ts'
import { readZone, TYPE_ALIAS, TYPE_ROUTE } from '../daemon/zone/index.ts'
import { readRegularFile } from '../core/regular-file.ts'
import { whyUnreadable } from '../core/trouble.ts'

/** A file of policies: as it is shown, and what it says. */
export interface PolicyText {
  readonly label: string
  readonly text: string
}

/** What of a call decides where policies are read: `zones` is the folder, `current` the file in service. */
export interface Folders {
  readonly cwd: string
  readonly zones: string
  readonly current: { readonly path: string; readonly label: string }
}

/** The two files that are meant by `OLD [NEW]`; a text says what is wrong. With one alone: a file takes the place of the one in service, and a revision is what came before it. */
export function readBoth(first: string, second: string | undefined, folders: Folders): readonly [PolicyText, PolicyText] | string {
  const one = readOne(first, folders)
  if (typeof one === 'string') return one
  const other = second === undefined ? readFile(folders.current.path, folders.current.label) : readOne(second, folders)
  if (typeof other === 'string') return other
  return second === undefined && one.isFile ? [other, one] : [one, other]
}

interface Read extends PolicyText {
  readonly isFile: boolean
}

/** A file, or what it was in a git revision: `HEAD~1`, `main:zones/policies.yaml`. */
function readOne(typed: string, { cwd, zones, current }: Folders): Read | string {
  const path = resolve(cwd, typed)
  if (existsSync(path)) return statSync(path).isDirectory() ? readFile(join(path, basename(current.path)), join(typed, basename(current.path))) : readFile(path, typed)
  const looksLikeFile = /\.ya?ml$/.test(typed) && !typed.includes(':')
  if (looksLikeFile || typed.startsWith('-')) return `there is no file ${typed}`
  const object = typed.includes(':') ? typed : `${typed}:./${basename(current.path)}`
  try {
    const text = execFileSync('git', ['show', '--end-of-options', object], { cwd: typed.includes(':') ? cwd : zones, encoding: 'utf8', maxBuffer: 64 << 20, stdio: ['ignore', 'pipe', 'pipe'] })
    return { label: typed, text, isFile: false }
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: string }
    const why = code === 'ENOENT' ? 'git is not installed' : (stderr?.split('\n')[0]?.replace(/^fatal: /, '') ?? 'git failed')
    return `${typed} is neither a file nor a revision with policies: ${why}`
  }
}

function readFile(path: string, label: string): Read | string {
  try {
    return { label, text: readFileSync(path, 'utf8'), isFile: true }
  } catch (error) {
    return `${label} cannot be read: ${whyUnreadable(error)}`
  }
}

/** The names that the zones of a folder have steered, with their policies. A zone with faults, or a folder that is not there, steers nothing. */
export function namesSteered(zones: string): Map<string, string> {
  const routed: [string, string][] = []
  const aliases: [string, string][] = []
  const files = existsSync(zones) ? readdirSync(zones).filter((name) => name.endsWith('.zone')) : []
  for (const file of files) {
    const path = join(zones, file)
    const { zone } = readZone({ file: path, read: (name) => readRegularFile(resolve(dirname(path), name)) })
    for (const { type, rdata, owner } of zone?.records ?? []) {
      if (type === TYPE_ROUTE) routed.push([nameToText(owner).toLowerCase(), Buffer.from(rdata).toString('latin1')])
      else if (type === TYPE_ALIAS || type === TYPE.CNAME) aliases.push([nameToText(owner).toLowerCase(), nameToText(rdata).toLowerCase()])
    }
  }
  return withAliases(routed, aliases)
}
