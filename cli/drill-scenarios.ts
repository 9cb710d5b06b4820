import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { loadConfig } from '../core/config-file.ts'
import type { Config } from '../core/config.ts'
import { ConfigError, formatFault } from '../core/trouble.ts'
import { suggestion } from '../core/suggest.ts'
import { DEFAULT_LOAD, readScenario, strikable, type Scenario } from '../fleet/drill/index.ts'
import { readFleetFile } from '../fleet/index.ts'
import { failed, isSet, type Call } from './command.ts'
import type { Refusal } from './drill-fleet.ts'
import { configFile, packageRoot, stateFolder } from './folders.ts'
import { tableOf } from './table.ts'

/** One drill of a call. */
export interface Chosen {
  readonly scenario: Scenario
  /** Else it is an edge of the command line. */
  readonly isScenario: boolean
}

/** The folder of scenarios: beside the configuration, else the one that comes with Nearcast. */
function scenarioFolder(call: Call): string {
  const beside = join(dirname(configFile(call).path), 'drills')
  return existsSync(beside) ? beside : join(packageRoot, 'drills')
}

function scenarioNames(call: Call): string[] {
  return readdirSync(scenarioFolder(call)).filter((name) => name.endsWith('.yaml')).map((name) => name.slice(0, -5)).toSorted()
}

/** What a call asks for: an edge, a scenario, or with --all every scenario. */
export function findScenarios(call: Call): { readonly drills: readonly Chosen[] } | Refusal {
  const [wanted] = call.positionals
  if (isSet(call, 'all')) {
    if (wanted !== undefined) return { line: `drill: --all and ${wanted}: one or the other`, status: 2 }
    const read = scenarioNames(call).map((name) => readOne(call, join(scenarioFolder(call), `${name}.yaml`)))
    const refused = read.find((each) => 'line' in each)
    return refused !== undefined && 'line' in refused ? refused : { drills: read as Chosen[] }
  }
  if (wanted === undefined) return { line: 'drill: EDGE or SCENARIO is missing (nearcast drill --help)', status: 2 }
  if (/[/.]/.test(wanted)) return single(readOne(call, resolve(call.io.cwd, wanted)))
  const known = scenarioNames(call)
  const edges = edgesOf(call)
  if (!edges.includes(wanted) && known.includes(wanted)) return single(readOne(call, join(scenarioFolder(call), `${wanted}.yaml`)))
  const hint = suggestion(wanted, [...edges, ...known])
  if (!edges.includes(wanted) && hint !== undefined && known.some((name) => hint.includes(name))) return { line: `there is no edge or scenario ${wanted} (${hint})`, status: 2 }
  return { drills: [{ scenario: ofEdge(wanted, isSet(call, 'kill')), isScenario: false }] }
}

const single = (chosen: Chosen | Refusal): { readonly drills: readonly Chosen[] } | Refusal => ('line' in chosen ? chosen : { drills: [chosen] })

/** The edges of the fleet that runs, or would. */
function edgesOf(call: Call): string[] {
  return Object.keys(configOf(call)?.edges ?? {})
}

/** The configuration of the fleet that is drilled; undefined where it has faults. */
function configOf(call: Call): Config | undefined {
  const running = isSet(call, 'scratch') ? undefined : readFleetFile(stateFolder(call).path)
  try {
    return loadConfig(running?.config ?? configFile(call).path)
  } catch (error) {
    if (error instanceof ConfigError) return undefined
    throw error
  }
}

function ofEdge(edge: string, isKill: boolean): Scenario {
  return { name: edge, about: edge, blow: { kind: isKill ? 'kill' : 'stop', members: [edge] }, everyMs: 0, times: 1, stays: false, load: DEFAULT_LOAD, limits: {} }
}

function readOne(call: Call, path: string, config = configOf(call)): Chosen | Refusal {
  if (isSet(call, 'kill')) return { line: '--kill is for an edge: a scenario says itself what is done', status: 2 }
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return { line: `there is no scenario ${call.positionals[0] ?? path}`, status: 2 }
  }
  const label = path.startsWith(`${call.io.cwd}/`) ? path.slice(call.io.cwd.length + 1) : path
  const { scenario, faults } = readScenario(label, text, config && strikable(config))
  return scenario === undefined ? { line: faults.map(formatFault).join('\nnearcast: '), status: 1 } : { scenario, isScenario: true }
}

/** Prints every scenario with what it is about, also of those that this fleet has no members for. */
export function listScenarios(call: Call): number {
  const rows: string[][] = []
  for (const name of scenarioNames(call)) {
    const { scenario, faults } = readScenario(`${name}.yaml`, readFileSync(join(scenarioFolder(call), `${name}.yaml`), 'utf8'))
    if (scenario === undefined) return failed(call.io, faults.map(formatFault).join('\nnearcast: '))
    rows.push([name, scenario.about])
  }
  call.io.out(isSet(call, 'json') ? `${JSON.stringify(rows.map(([name, about]) => ({ name, about })), undefined, 2)}\n` : `${tableOf(['SCENARIO', 'WHAT HAPPENS'], rows).join('\n')}\n`)
  return 0
}
