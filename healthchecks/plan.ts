import { isIP } from 'node:net'
import { kindOf, type Check } from '../core/config-checks.ts'
import type { Content } from './content.ts'
import type { TlsSpec } from './certificate.ts'
import type { DnsSpec } from './probe-dns.ts'
import type { ProbeSpec } from './probes.ts'

/** How one probe is judged and when it is made. */
export interface ProbePlan {
  readonly spec: ProbeSpec
  /** A node-cron expression with seconds. */
  readonly every: string
  readonly timeoutMs: number
  readonly connectMs: number
  readonly fall: number
  readonly rise: number
}

/** A check of one target: probes, and how their verdicts make one. Plain data. */
export interface Plan {
  readonly check: string
  readonly inverted: boolean
  /** Nothing is asked; counts as up. */
  readonly disabled: boolean
  readonly what: { readonly probe: ProbePlan } | { readonly of: readonly Plan[]; readonly atLeast: number }
}

export interface PlanTarget {
  readonly name: string
  /** Addresses, or a host name. */
  readonly addresses: readonly string[]
  /** Where it is asked by HTTP unless its check says otherwise. */
  readonly port?: number
}

/** What a check comes to for a target. `checks` has every name that checks speak of, and no loops. */
export function planCheck(name: string, checks: Readonly<Record<string, Check>>, target: PlanTarget): Plan {
  const check = checks[name]!
  const { inverted, disabled, every, timeout, connect, fall, rise } = check
  const what = check.of === undefined
    ? { probe: { spec: planProbe(check, target), every, timeoutMs: timeout, connectMs: connect, fall, rise } }
    : { of: check.of.map((each) => planCheck(each, checks, target)), atLeast: check['at-least'] ?? check.of.length }
  return { check: name, inverted, disabled, what }
}

function planProbe(check: Check, { name, addresses, port: usual }: PlanTarget): ProbeSpec {
  const { port, method, headers, status, send } = check
  const host = check.host ?? (isIP(addresses[0]!) === 0 ? addresses[0] : undefined)
  const common = { addresses, ...(host !== undefined && { host }), ...(headers !== undefined && { headers }) }
  const content = contentOf(check)
  const secure = check.secure === true ? { tls: tlsOf(check, host) } : {}
  switch (kindOf(check)) {
    case 'http':
      return { kind: 'http', ...common, port: port ?? usual ?? 80, path: check.http!, ...(method !== undefined && { method }), ...statusesOf(status), ...content }
    case 'https':
      return { kind: 'http', ...common, port: port ?? 443, path: check.https!, ...(method !== undefined && { method }), ...statusesOf(status), ...content, tls: tlsOf(check, host) }
    case 'tcp':
      return { kind: 'tcp', addresses, port: check.tcp!, ...(send !== undefined && { send }), ...content }
    case 'tls':
      return { kind: 'tcp', addresses, port: check.tls!, ...(send !== undefined && { send }), ...content, tls: tlsOf(check, host) }
    case 'dns':
      return { kind: 'dns', addresses, port: port ?? 53, transport: check.transport ?? 'udp', ...dnsOf(check.dns!) }
    case 'grpc':
      return { kind: 'grpc', ...common, port: port ?? (check.secure === true ? 443 : 80), service: check.grpc!, ...secure }
    case 'exec':
      return { kind: 'exec', addresses, command: check.exec!.map((word) => word.replaceAll('{address}', addresses[0]!).replaceAll('{name}', name)), ...content }
    case 'metrics': {
      const { load, capacity, most } = check
      const usualPort = check.secure === true ? 443 : (usual ?? 80)
      return { kind: 'metrics', ...common, port: port ?? usualPort, path: check.metrics!, load: load!, ...(capacity !== undefined && { capacity }), ...(most !== undefined && { most }), ...secure }
    }
    case 'of':
      throw new Error('a calculated check has no probe of its own')
  }
}

function dnsOf({ name, type, rcode, answer }: NonNullable<Check['dns']>): Pick<DnsSpec, 'name' | 'type' | 'rcode' | 'answer'> {
  return { name, type, rcode, ...(answer !== undefined && { answer }) }
}

function contentOf({ text, pattern }: Check): { content?: Content } {
  if (text === undefined && pattern === undefined) return {}
  return { content: { ...(text !== undefined && { text }), ...(pattern !== undefined && { pattern }) } }
}

function tlsOf(check: Check, host: string | undefined): TlsSpec {
  const { verify = true, authority, days } = check
  const serverName = check['server-name'] ?? host
  return { verify, ...(serverName !== undefined && { serverName }), ...(authority !== undefined && { authority }), ...(days !== undefined && { days }) }
}

function statusesOf(status: Check['status']): { statuses?: readonly (readonly [number, number])[] } {
  if (status === undefined) return {}
  const list = Array.isArray(status) ? status : [status]
  return { statuses: list.map((each): readonly [number, number] => (typeof each === 'number' ? [each, each] : [Number(each.slice(0, 3)), Number(each.slice(-3))])) }
}
