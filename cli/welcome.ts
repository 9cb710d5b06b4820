import { join, relative } from 'node:path'
import type { Member } from '../core/channel.ts'
import { systemClock } from '../core/clock.ts'
import type { Config } from '../core/config.ts'
import { OWN_TLS } from '../core/own-tls.ts'
import type { Explanation, MemberStatus, Status } from '../daemon/control/api.ts'
import type { Fleet } from '../fleet/index.ts'
import { connect, Refused, type AdminClient } from './admin-client.ts'
import type { Call } from './command.ts'
import { packageRoot, stateFolder, stateOption, zonesFolder } from './folders.ts'
import { healthOf } from './status.ts'
import { tableOf } from './table.ts'
import { versionText } from './version.ts'

/** Everything the start-up text is made of. */
export interface Scene {
  readonly config: Config
  readonly fleet: Pick<Fleet, 'ports' | 'listen' | 'not53'> & { members(): readonly Member[] }
  /** Absent while the daemon does not answer. */
  readonly status?: Status
  /** The edge that viewers on this machine get. */
  readonly local?: string
  readonly tookMs: number
  /** How the command line is called from the current folder. */
  readonly program: string
  /** ` --state DIR`, when the fleet has not the default one. */
  readonly stateOption: string
  readonly stateLabel: string
  readonly zonesLabel: string
}

const POLL_MS = 150

/**
 * Prints what listens where, the fleet, its names, and commands to copy.
 * @param began when the start began, and `by` until when unknown health is waited for; in `elapsed` milliseconds
 * @returns whether everything could be said: the daemon answered, and has checked every member
 */
export async function welcome(call: Call, config: Config, fleet: Fleet, began: number, by: number): Promise<boolean> {
  const admin = connect(fleet.file, fleet.adminToken)
  const status = await settledStatus(admin, by)
  const local = status === undefined ? undefined : await localEdge(admin, firstName(config, status))
  const state = stateFolder(call)
  const scene: Scene = {
    config,
    fleet,
    ...(status !== undefined && { status }),
    ...(local !== undefined && { local }),
    tookMs: systemClock.elapsed() - began,
    program: call.io.cwd === packageRoot ? 'npx nearcast' : programFrom(call.io.cwd),
    stateOption: stateOption(call),
    stateLabel: state.label,
    zonesLabel: zonesFolder(call).label
  }
  call.io.out(`${welcomeLines(scene, call.io.colour).join('\n')}\n`)
  return status !== undefined && isSettled(status)
}

function programFrom(cwd: string): string {
  const path = relative(cwd, join(packageRoot, 'bin/nearcast.js'))
  return path.startsWith('../..') ? join(packageRoot, 'bin/nearcast.js') : path.startsWith('.') ? path : `./${path}`
}

const isSettled = ({ members }: Status): boolean => !members.some(({ health, forced }) => health === 'UNKNOWN' && forced === undefined)

async function settledStatus(admin: AdminClient, by: number): Promise<Status | undefined> {
  for (;;) {
    const status = await admin.get<Status>('/v1/status')
    const known = status instanceof Refused ? undefined : status
    if (known !== undefined && isSettled(known)) return known
    if (systemClock.elapsed() >= by) return known
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

async function localEdge(admin: AdminClient, name: string): Promise<string | undefined> {
  const query = new URLSearchParams({ name, from: '127.0.0.1', type: 'A' })
  const explanation = await admin.get<Explanation>(`/v1/explain?${query}`)
  return explanation instanceof Refused ? undefined : explanation.candidates.find(({ chosen }) => chosen)?.target
}

/** The name to try first: a distribution's own, as far as DNS steers it. */
function firstName(config: Config, status: Status | undefined): string {
  const own = Object.keys(config.distributions).map((id) => `${id}.${config.domain}`)
  const routed = (status?.names ?? []).map((name) => name.replace(/\.$/, ''))
  return own.find((name) => routed.includes(name)) ?? routed.find((name) => !name.startsWith('*')) ?? own[0] ?? config.domain
}

/** The start-up text, no line longer than 100 columns unless a name is. */
export function welcomeLines(scene: Scene, colour: boolean): string[] {
  const { config, status, tookMs } = scene
  const bold = (text: string): string => (colour ? `\u001b[1m${text}\u001b[22m` : text)
  const forced = status?.members.filter((member) => member.forced !== undefined) ?? []
  return [
    '',
    bold(`Nearcast ${versionText()}: ${scene.fleet.members().length} processes, ${status === undefined ? 'not all ready after' : 'up in'} ${(tookMs / 1000).toFixed(1)} s`),
    '',
    ...listeningLines(scene),
    '',
    ...fleetTable(scene).map((line, row) => (row === 0 ? bold(line) : colourHealth(line, colour))),
    ...forced.map((member) => forcedLine(member, scene)),
    '',
    ...nameLines(scene),
    `Local   loopback and private networks are taken to be in ${config.geo.local} (geo.local)`,
    ...(status === undefined ? [] : wrapped('Places  ', status.geo.about.split(' '), ' ')),
    '',
    bold('Try, in another terminal:'),
    ...commandsToCopy(scene).map((line) => `  ${line}`),
    '',
    `Edit ${scene.zonesLabel}*.zone or ${scene.zonesLabel}policies.yaml and ask again. Ctrl-C ends everything.`,
    ''
  ]
}

function listeningLines({ config, fleet, stateLabel }: Scene): string[] {
  const { ports, listen, not53 } = fleet
  const edges = 'port of every edge, at its own address below'
  return [
    `DNS     ${listen.join(' and ')}, port ${ports.dns}, UDP and TCP`,
    ...(not53 === undefined ? [] : [`        (53 is ${not53})`]),
    `HTTP    port ${ports.http} of every member, at its own address below`,
    ...(ports.https === undefined ? [] : [`HTTPS   ${edges.replace('port', `port ${ports.https}`)}`]),
    `Admin   ${config.admin.listen}, port ${ports.admin}; the token is in ${stateLabel}admin.token`
  ]
}

function fleetTable({ fleet, status, config }: Scene): string[] {
  const rows = fleet.members().filter(({ role }) => role !== 'daemon').map((member) => {
    const known = status?.members.find(({ name, role }) => name === member.name && role === member.role)
    const health = known?.health === undefined ? member.state : healthOf(known)
    return [member.name, cityOf(config, member), addressesOf(config, member).join(', '), member.role, health]
  })
  return tableOf(['NAME', 'CITY', 'ADDRESS', 'TIER', 'HEALTH'], rows, { indent: '  ' })
}

function cityOf(config: Config, { name, role }: Member): string {
  return (role === 'edge' ? config.edges[name]?.city : role === 'regional' ? config.regionals[name]?.city : role === 'shield' ? config.shields[name]?.city : undefined) ?? ''
}

function addressesOf(config: Config, { name, role }: Member): readonly string[] {
  if (role === 'edge') return config.edges[name]?.address ?? []
  if (role === 'regional') return config.regionals[name]?.address ?? []
  if (role === 'shield') return config.shields[name]?.address ?? []
  const origin = config.origins[name]
  return origin !== undefined && 'demo' in origin ? [origin.demo] : []
}

function colourHealth(line: string, colour: boolean): string {
  if (!colour) return line
  return line.replace(/ (UP|running)$/, ' \u001b[32m$1\u001b[39m').replace(/ (DOWN|down \(forced\)|drain \(forced\)|failed|hung|stopped)$/, ' \u001b[31m$1\u001b[39m')
}

function forcedLine({ name, forced }: MemberStatus, { program, stateOption }: Scene): string {
  const undo = forced?.why.startsWith('stopped') === true ? `; ${program} start ${name}${stateOption} undoes it` : ''
  return `  ${name} is forced ${forced?.state}: ${forced?.why}${undo}`
}

const MOST_NAMES = 8

/** Every name a policy steers, and those of distributions that one of our zones holds. */
function namesOf(config: Config, status: Status): string[] {
  const plain = (name: string): string => name.replace(/\.$/, '')
  const origins = status.zones.map(({ origin }) => plain(origin))
  const hosts = Object.entries(config.distributions).flatMap(([id, { aliases }]) => [`${id}.${config.domain}`, ...aliases])
  const ours = hosts.filter((host) => origins.some((origin) => host === origin || host.endsWith(`.${origin}`)))
  return [...new Set([...status.names.map(plain), ...ours])]
}

function nameLines({ config, status, program }: Scene): string[] {
  if (status === undefined) return ['Names   the daemon is not ready yet; all this is printed again when it is']
  if (status.zones.length === 0) return [`Names   none: no zone is in service (${program} check tells what is wrong)`]
  const names = namesOf(config, status)
  const more = names.length > MOST_NAMES ? [`and ${names.length - MOST_NAMES} more`] : []
  const zones = status.zones.map(({ origin, records, state }) => `${origin} (${records} records${state === 'current' ? '' : `, ${state}`})`)
  return [...wrapped('Names   ', names.length === 0 ? ['none is steered by a policy'] : [...names.slice(0, MOST_NAMES), ...more]), ...wrapped('Zones   ', zones)]
}

/** `Names   a, b, c`, continued below the first name. */
function wrapped(head: string, items: readonly string[], between = ', '): string[] {
  const out: string[] = []
  let line = head
  for (const [index, item] of items.entries()) {
    const text = index === items.length - 1 ? item : `${item}${between}`
    if (line.length + text.trimEnd().length > 96 && line.trim() !== '' && line !== head) {
      out.push(line.trimEnd())
      line = ' '.repeat(head.length)
    }
    line += text
  }
  return [...out, line.trimEnd()]
}

/** dig, curl, and what one does to an edge; each can be copied as it stands. */
function commandsToCopy({ config, fleet, status, local, program, stateOption, stateLabel }: Scene): string[] {
  const name = firstName(config, status)
  const edge = local !== undefined && local in config.edges ? local : Object.keys(config.edges)[0]
  const { ports, listen } = fleet
  const both = listen.includes('127.0.0.1') && listen.includes('::1')
  const server = ports.dns === 53 ? (both ? '@localhost' : `@${listen[0]}`) : `@${listen[0]} -p ${ports.dns}`
  if (edge === undefined) return [`dig ${server} ${name}`, `${program} explain ${name} --from 168.126.63.1${stateOption}`]
  const address = config.edges[edge]!.address[0]!
  const host = address.includes(':') ? `[${address}]` : address
  return [
    `dig ${server} ${name}`,
    `curl -i http://${host}${ports.http === 80 ? '' : `:${ports.http}`}/ -H 'Host: ${name}'`,
    ...(ports.https === undefined || config.https?.certificate !== undefined ? [] : [`curl -i --cacert ${stateLabel}${OWN_TLS.authority} --connect-to ::${host}: https://${name}${ports.https === 443 ? '' : `:${ports.https}`}/`]),
    `${program} stop ${edge}${stateOption}`,
    `${program} explain ${name} --from 168.126.63.1${stateOption}`,
    `${program} drill ${edge}${stateOption}`
  ]
}
