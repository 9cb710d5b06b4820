import { statSync } from 'node:fs'
import { suggestion } from '../core/suggest.ts'
import { ConfigError, messageOf } from '../core/trouble.ts'
import type { FlushedZone, FlushReply, FlushRequest } from '../daemon/control/api.ts'
import { openAdmin, Refused, refused } from './admin-client.ts'
import { failed, isSet, mistyped, textOf, type Call, type Command } from './command.ts'
import { configFile, STATE, stateFolder, zonesFolder } from './folders.ts'
import { loadConfigured } from './keys.ts'

export const flush: Command = {
  name: 'flush',
  summary: 'write what dynamic updates have changed back into the zone files',
  details: [
    'Touches only the lines of RRsets that changed, and the serial; keeps each file as it was beside it, as',
    'FILE.SERIAL.bak. Without ZONE, all zones are written back. A running fleet does it itself; with --zones,',
    'it is done here, for a `nearcast dns --state` that does not run at this moment.'
  ],
  arguments: [{ name: 'ZONE', optional: true }],
  options: {
    'dry-run': { kind: 'flag', summary: 'say what would be written, and write nothing' },
    json: { kind: 'flag', summary: 'print the reply as JSON' },
    zones: { kind: 'folder', value: 'DIR', summary: 'write into this folder of zones, while no server runs on the state folder' },
    config: { kind: 'file', value: 'FILE', summary: 'with --zones: the nearcast.yaml that the server was given' },
    state: STATE
  },
  examples: ['nearcast flush', 'nearcast flush example.org --dry-run', 'nearcast flush --zones /srv/zones --state /var/lib/nearcast'],
  run: async (call) => {
    const zone = call.positionals[0]
    const isDry = isSet(call, 'dry-run')
    if (textOf(call, 'zones') !== undefined) return flushHere(call, zone, isDry)
    const admin = openAdmin(call)
    if (typeof admin === 'string') return failed(call.io, admin)
    const body: FlushRequest = { ...(zone !== undefined && { zone }), ...(isDry && { dryRun: true }) }
    const reply = await admin.post<FlushReply>('/v1/flush', body)
    return reply instanceof Refused ? refused(call, reply) : show(call, reply, isDry)
  }
}

/** In this process, when no other works on the journals. */
async function flushHere(call: Call, zone: string | undefined, isDry: boolean): Promise<number> {
  const { io } = call
  const zones = zonesFolder(call)
  const state = stateFolder(call)
  if (statSync(zones.path, { throwIfNoEntry: false })?.isDirectory() !== true) return mistyped(io, `--zones: there is no folder ${zones.path}`)
  if (statSync(state.path, { throwIfNoEntry: false })?.isDirectory() !== true) return mistyped(io, `--state: there is no folder ${state.path}`)
  try {
    const config = textOf(call, 'config') === undefined ? undefined : loadConfigured(configFile(call)).config
    const { edgeTargets, flushFolder } = await import('../daemon/control/index.ts')
    const wanted = zone?.replace(/\.?$/, '.')
    const autoSerials = Object.entries(config?.zones ?? {}).flatMap(([name, { serial }]) => (serial === 'auto' ? [name] : []))
    const { reply, origins, faults } = flushFolder({
      folder: { path: zones.path, label: zones.label }, stateFolder: state.path, targets: config === undefined ? [] : edgeTargets(config), autoSerials, checks: Object.keys(config?.checks.named ?? {}), isDry, ...(wanted !== undefined && { zone: wanted })
    })
    for (const fault of faults) io.err(`${fault}\n`)
    if (wanted !== undefined && !origins.some((origin) => origin.toLowerCase() === wanted.toLowerCase())) {
      const hint = suggestion(wanted, origins)
      return mistyped(io, `there is no zone ${wanted}${hint === undefined ? '' : ` (${hint})`}`)
    }
    return show(call, reply, isDry)
  } catch (error) {
    if (!(error instanceof ConfigError)) return failed(io, messageOf(error))
    io.err(`${error.message}\n`)
    return 1
  }
}

function show(call: Call, { zones }: FlushReply, isDry: boolean): number {
  const { io } = call
  if (isSet(call, 'json')) io.out(`${JSON.stringify({ zones })}\n`)
  else if (zones.length === 0) io.out('nothing to write back\n')
  else for (const zone of zones) showZone(call, zone, isDry)
  return zones.some(({ faults }) => faults.length > 0) ? 1 : 0
}

function showZone({ io }: Call, { origin, serial, lines, files, faults }: FlushedZone, isDry: boolean): void {
  for (const fault of faults) io.err(`${fault}\n`)
  if (faults.length > 0) return
  if (lines.length === 0) {
    io.out(`${origin}: nothing to write back\n`)
    return
  }
  io.out(`${origin} serial ${serial}\n`)
  for (const line of lines) io.out(`  ${line}\n`)
  for (const { file, backup } of files) io.out(isDry ? `  would be written to ${file}\n` : `  written to ${file}, which is kept as it was as ${backup}\n`)
}
