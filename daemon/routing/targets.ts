import { formatAddress, parseAddress, type Address } from '../../core/address.ts'
import { suggestion } from '../../core/suggest.ts'
import type { Target } from './types.ts'

// Targets that are no edges: addresses and names written in policies.yaml, each with a check where one is named.

/** Letters, digits, hyphens and underscores; as names are compared, in lower case. */
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/
const KEYS: readonly string[] = ['address', 'cname', 'check']

/** What is wrong with a written target, and at which of its keys. */
export interface TargetFault {
  readonly key?: string
  readonly reason: string
  readonly hint?: string | undefined
}

/** Whether a mapping is meant as a target rather than as a node. */
export function isTarget(value: Readonly<Record<string, unknown>>): boolean {
  return 'address' in value || 'cname' in value
}

/** Of an address: one written in two ways is one target. */
export function addressTarget({ bytes, family }: Address): Target {
  return { name: formatAddress(bytes), checked: false, ipv4: family === 4 ? [bytes] : [], ipv6: family === 6 ? [bytes] : [] }
}

/** `{ address: 192.0.2.7, check: web }` or `{ cname: host.example.net. }`. @param checks names of the checks that there are */
export function readTarget(value: Readonly<Record<string, unknown>>, checks: readonly string[]): Target | TargetFault {
  const stray = Object.keys(value).find((key) => !KEYS.includes(key))
  if (stray !== undefined) return { key: stray, reason: `unknown key ${stray} of a target`, hint: suggestion(stray, KEYS) }
  if ('address' in value && 'cname' in value) return { key: 'cname', reason: 'a target is an address or a cname, not both' }
  const target = 'cname' in value ? cnameTarget(value['cname']) : readAddress(value['address'])
  if ('reason' in target || !('check' in value)) return target
  const check = checks.find((name) => name === value['check'])
  if (check !== undefined) return { ...target, checked: true, check }
  return { key: 'check', reason: `there is no check ${String(value['check'])}`, hint: typeof value['check'] === 'string' ? suggestion(value['check'], checks) : undefined }
}

function readAddress(value: unknown): Target | TargetFault {
  const address = typeof value === 'string' ? parseAddress(value) : undefined
  return address === undefined ? { key: 'address', reason: 'address: expected an address', hint: 'such as 192.0.2.7 or 2001:db8::7' } : addressTarget(address)
}

function cnameTarget(value: unknown): Target | TargetFault {
  const hint = 'such as host.example.net.'
  if (typeof value !== 'string') return { key: 'cname', reason: 'cname: expected a name', hint }
  const name = value.toLowerCase()
  if (!name.endsWith('.')) return { key: 'cname', reason: `cname: ${value} has no dot at its end`, hint: `write ${value}.: names here are whole` }
  const labels = name.slice(0, -1).split('.')
  if (name.length > 254 || !labels.every((label) => LABEL.test(label))) return { key: 'cname', reason: `cname: ${value} is no name of a host`, hint }
  return { name, checked: false, ipv4: [], ipv6: [], cname: name }
}
