import { dirname, join, relative, resolve } from 'node:path'
import { existsSync, readFileSync } from 'node:fs'
import { systemClock } from '../core/clock.ts'
import { parseConfig } from '../core/config-file.ts'
import type { Config } from '../core/config.ts'
import { makeLogger } from '../core/log.ts'
import { readRegularFile } from '../core/regular-file.ts'
import { formatFault } from '../core/trouble.ts'
import { bringLatencies, bringNetworks, bringPlaces, edgeTargets, hasAsDatabase } from '../daemon/control/index.ts'
import type { QueriesReply, Status } from '../daemon/control/api.ts'
import { openRouting, readPolicies, type ReadPolicies, type Routing } from '../daemon/routing/index.ts'
import { isSame, planChange, weighViewers, type Asked } from '../daemon/traffic/index.ts'
import { openNetworks, openPlaces, PREFIX, type LatencyImage, type NetworksImage, type PlacesImage } from '../geodb/index.ts'
import { openAdmin, Refused } from './admin-client.ts'
import { isSet, mistyped, type Call, type Command } from './command.ts'
import { planLines } from './diff-lines.ts'
import { wordsOf } from './diff-health.ts'
import { namesSteered, readBoth, type PolicyText } from './diff-sources.ts'
import { configFile, stateFolder, STATE, zonesFolder } from './folders.ts'

export const diff: Command = {
  name: 'diff',
  summary: 'say who would be sent where if one file of policies took the place of another',
  details: [
    'OLD and NEW are files, or git revisions of policies.yaml of the zones folder. With a file alone it is held',
    'against the policies.yaml that is there; with a revision alone that is held against the revision.',
    'Nothing is applied, and no fleet is needed. One that runs is asked for the queries of the last 24 hours',
    'and for the health of its edges; else countries weigh by their IPv4 addresses, and every edge is up.',
    'Measured round trips are those that its daemon last wrote down, once a minute.',
    'Exit status, as of diff: 0 nobody would be sent elsewhere, 1 somebody would, 2 it cannot be told: a file has',
    'faults, or something is mistyped.'
  ],
  arguments: [{ name: 'OLD', completes: 'file' }, { name: 'NEW', optional: true, completes: 'file' }],
  options: {
    config: { kind: 'file', value: 'FILE', summary: 'configuration with the edges (default: nearcast.yaml)' },
    zones: { kind: 'folder', value: 'DIR', summary: 'folder of the zones and of policies.yaml (default: zones/)' },
    json: { kind: 'flag', summary: 'print everything as JSON' },
    state: STATE
  },
  examples: ['nearcast diff /tmp/policies.yaml', 'nearcast diff HEAD', 'nearcast diff main~3 /tmp/policies.yaml --json'],
  run: async (call) => {
    const prepared = prepare(call)
    if (typeof prepared === 'number') return prepared
    const { texts, config, sides } = prepared
    const live = await askFleet(call)
    const { places } = await placesFor(call, config)
    const measured = bringLatencies({ config, stateFolder: stateFolder(call).path, log: makeLogger('diff', { readable: true, level: 'warn' }), now: systemClock.now() }, places)
    const worlds = sides.map((side) => openSide(side, places, config, measured))
    const [old, next] = worlds as [Opened, Opened]
    const viewers = weighViewers(places, worlds.map(({ networks }) => networks))
    const plan = planChange({ old: { routing: old.routing, side: 0 }, next: { routing: next.routing, side: 1 }, names: prepared.names, viewers, words: live?.words ?? new Map(), ...(live?.asked !== undefined && { asked: live.asked }) })
    const more = { old: texts[0].label, new: texts[1].label, health: live === undefined ? ('all up' as const) : ('live' as const), measured: measured === undefined ? 0 : measured.prefixes.length / PREFIX }
    call.io.out(isSet(call, 'json') ? `${JSON.stringify({ ...more, ...plan }, undefined, 2)}\n` : `${planLines(plan, more).join('\n')}\n`)
    return isSame(plan) ? 0 : 1
  }
}

interface Prepared {
  readonly texts: readonly [PolicyText, PolicyText]
  readonly config: Config
  readonly sides: readonly ReadPolicies[]
  readonly names: ReadonlyMap<string, string>
}

interface Opened {
  readonly routing: Routing
  readonly networks: NetworksImage | undefined
}

/** Everything that is read of files; the exit status when something is wrong with them. */
function prepare(call: Call): Prepared | number {
  const zones = zonesFolder(call)
  const [first, second] = call.positionals as [string, string | undefined]
  const texts = readBoth(first, second, { cwd: call.io.cwd, zones: zones.path, current: { path: join(zones.path, 'policies.yaml'), label: `${zones.label}policies.yaml` } })
  if (typeof texts === 'string') return mistyped(call.io, texts)
  const file = configFile(call)
  if (!existsSync(file.path)) return mistyped(call.io, `there is no file ${file.label}`)
  const { config, faults } = parseConfig(file.label, readFileSync(file.path, 'utf8'))
  if (config === undefined) return refuse(call, faults.map(formatFault))
  const targets = edgeTargets(config)
  const checks = Object.keys(config.checks.named)
  const sides = texts.map(({ label, text }) => readPolicies({ file: label, text, targets, checks, read: (name) => readRegularFile(resolve(zones.path, relative(dirname(label), name))), hasAsDatabase: hasAsDatabase(config) }))
  const wrong = sides.flatMap((side) => (side.image === undefined ? side.faults.filter(({ severity }) => severity === 'error') : []))
  if (wrong.length > 0) return refuse(call, wrong.map(formatFault))
  const steered = namesSteered(zones.path)
  // Without zones every policy counts, as if a name of its own went by it.
  const names = steered.size > 0 ? steered : new Map([...sides[1]!.names].map((policy) => [policy, policy]))
  return { texts, config, sides, names }
}

function refuse(call: Call, lines: readonly string[]): number {
  for (const line of lines) call.io.err(`${line}\n`)
  return 2
}

/** Lists that stand in files of their own are read as they are now, whatever revision names them. */
function openSide({ image, networks: plan }: ReadPolicies, places: PlacesImage, config: Config, measured: LatencyImage | undefined): Opened {
  const networks = bringNetworks(plan, config, measured).image
  return { networks, routing: openRouting(image!, openPlaces(places), networks && openNetworks(networks)) }
}

/** Places as the daemon would have them, from the tables that it keeps where there are any. */
function placesFor(call: Call, config: Config): ReturnType<typeof bringPlaces> {
  const state = stateFolder(call)
  return bringPlaces(config, existsSync(join(state.path, 'geodb')) ? state.path : undefined)
}

/** What a running fleet knows; undefined when none can be asked. */
async function askFleet(call: Call): Promise<{ readonly words: ReadonlyMap<string, number>; readonly asked?: Asked } | undefined> {
  const admin = openAdmin(call)
  if (typeof admin === 'string') return undefined
  const status = await admin.get<Status>('/v1/status')
  if (status instanceof Refused) return undefined
  const counted = await admin.get<QueriesReply>('/v1/queries')
  const words = wordsOf(status.members)
  if (counted instanceof Refused || Object.keys(counted.names).length === 0) return { words }
  const names = new Map(Object.entries(counted.names).map(([name, countries]) => [name, new Map(Object.entries(countries))]))
  return { words, asked: { ...counted, names } }
}
