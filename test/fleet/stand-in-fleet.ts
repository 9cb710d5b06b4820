import { fileURLToPath } from 'node:url'
import { parseConfig } from '../../core/config-file.ts'
import { systemClock } from '../../core/clock.ts'
import { makeLogger } from '../../core/log.ts'
import type { FleetOptions } from '../../fleet/index.ts'

/** Options for a fleet of stand-ins, edges by name; see stand-in.ts for what the names mean. Ports from `port` on. */
export function standInOptions(stateFolder: string, names: readonly string[], port: number, user?: string): FleetOptions {
  const edges = names.map((name, index) => `  ${name}: { address: 127.0.20.${index + 1}, city: Nowhere, at: [0, 0] }`)
  const { config } = parseConfig('test.yaml', ['dns: { listen: [127.0.0.1] }', ...(user === undefined ? [] : [`user: ${user}`]), 'edges:', ...edges].join('\n'))
  return {
    config: config!,
    configFile: '/nowhere/test.yaml',
    stateFolder,
    stateLabel: stateFolder,
    zonesFolder: '/nowhere/zones',
    zonesLabel: 'zones/',
    ports: { dns: port, http: port + 1, admin: port + 20 },
    readable: false,
    clock: systemClock,
    log: makeLogger('fleet', { readable: false, level: 'silent' }),
    program: () => fileURLToPath(new URL('./stand-in.js', import.meta.url))
  }
}
