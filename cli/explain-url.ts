import { existsSync, readFileSync } from 'node:fs'
import { parseConfig } from '../core/config-file.ts'
import { formatDuration } from '../core/quantity.ts'
import { formatFault, messageOf } from '../core/trouble.ts'
import { explainRequest, openCountries, readRequest, type Explained } from '../edge/index.ts'
import { failed, isSet, mistyped, textOf, type ArgumentSpec, type Call, type OptionSpec } from './command.ts'
import { configFile, stateFolder } from './folders.ts'
import { withPagePaths } from './page-files.ts'

/** Header fields of the request, after the URL. */
export const FIELDS: ArgumentSpec = { name: 'FIELD', optional: true, many: true }

export const URL_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  method: { kind: 'text', value: 'METHOD', summary: 'method of the request for a URL (default: GET)' },
  config: { kind: 'file', value: 'FILE', summary: 'configuration that a URL is held against (default: nearcast.yaml)' }
}

export const isUrl = (text: string): boolean => /^https?:\/\//i.test(text)

/** Shows the behaviour, the key, the id and what reaches the origin of a request for a URL. */
export async function explainUrl(call: Call, text: string, from: string): Promise<number> {
  if (!URL.canParse(text)) return mistyped(call.io, `${text}: this is no URL`)
  const file = configFile(call)
  if (!existsSync(file.path)) return failed(call.io, `there is no ${file.label}`)
  const { config: read, faults } = parseConfig(file.label, readFileSync(file.path, 'utf8'))
  if (read === undefined) return failed(call.io, faults.map(formatFault).join('\n'))
  const config = withPagePaths(file, read)
  // As it was typed: URL would take `/a/../b` for `/b`, which no client has to.
  const [, authority, rest] = /^https?:\/\/([^/?#]*)([^#]*)/i.exec(text)!
  const target = rest === '' ? '/' : rest!.startsWith('?') ? `/${rest}` : rest!
  const request = readRequest(config, { method: textOf(call, 'method') ?? 'GET', host: authority!, target, lines: call.positionals.slice(1) })
  if ('reason' in request) return failed(call.io, `an edge refuses this with ${request.status}: ${request.reason}`)
  try {
    const countryOf = (await openCountries(config, stateFolder(call).path)) ?? (() => 'ZZ')
    const explained = explainRequest(config, request, { address: from, countryOf })
    call.io.out(isSet(call, 'json') ? `${JSON.stringify(plainOf(explained), undefined, 2)}\n` : `${request.method} ${text} from ${from}\n\n${linesOf(explained).join('\n')}\n`)
    return explained.kind === 'refused' ? 1 : 0
  } catch (error) {
    return failed(call.io, messageOf(error))
  }
}

function linesOf(explained: Explained): string[] {
  if (explained.kind === 'refused') return [`  refused with ${explained.status}: ${explained.reason}`]
  const { distribution, behaviour, of, primary, parts, id, target, fields } = explained
  const { policy, from, pattern, index, bypass } = behaviour
  const out = [`  distribution ${distribution}, behaviour ${index + 1} of ${of}: ${pattern}`, `  origin ${from}, cache policy ${policy.name}${policy.name === policy.set ? '' : ` (set ${policy.set})`}`]
  if (bypass) out.push('  it bypasses the cache: it is sent on as it is, and nothing is held')
  else out.push(...timesOf(behaviour), '', `key: ${[primary, ...parts].join('\n     ')}`, `id:  ${id}`, '     and where the response has Vary, the values of the fields that it names')
  out.push('', `to the origin: ${target}`)
  for (let at = 0; at < fields.length; at += 2) out.push(`  ${fields[at]}: ${fields[at + 1]}`)
  return out
}

function timesOf({ times: { min, default: preset, max, errors }, defaultIfError }: Extract<Explained, { kind: 'taken' }>['behaviour']): string[] {
  const said = [
    preset > 0 ? `${formatDuration(preset)} where the response states none` : 'by Last-Modified where the response states none',
    ...(min > 0 ? [`at least ${formatDuration(min)}`] : []),
    ...(Number.isFinite(max) ? [`at most ${formatDuration(max)}`] : []),
    ...(defaultIfError > 0 ? [`standing in for errors for ${formatDuration(defaultIfError)} more`] : [])
  ]
  const held = [...errors].filter(([, ms]) => ms > 0).map(([status, ms]) => `${status} ${formatDuration(ms)}`)
  return [`  fresh: ${said.join(', ')}`, ...(held.length > 0 ? [`  errors held at least: ${held.join(', ')}`] : [])]
}

const plainOf = (explained: Explained): unknown =>
  explained.kind === 'refused' ? explained : { ...explained, behaviour: { path: explained.behaviour.pattern, index: explained.behaviour.index, origin: explained.behaviour.from, policy: explained.behaviour.policy.name, bypass: explained.behaviour.bypass } }
