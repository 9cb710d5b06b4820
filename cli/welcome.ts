import type { Config } from '../core/config.ts'
import type { Fleet } from '../fleet/index.ts'
import type { Call } from './command.ts'

/** Prints what listens where, the fleet, the names and commands to copy. */
export async function welcome(call: Call, _config: Config, fleet: Fleet): Promise<void> {
  const { ports } = fleet
  call.io.out(`DNS port ${ports.dns}, HTTP port ${ports.http}, admin port ${ports.admin}\n`)
}
