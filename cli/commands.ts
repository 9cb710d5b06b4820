import { check } from './check.ts'
import type { Command } from './command.ts'
import { completion } from './completion.ts'
import { dns } from './dns.ts'
import { drill } from './drill.ts'
import { explain } from './explain.ts'
import { flush } from './flush.ts'
import { force } from './force.ts'
import { help } from './help.ts'
import { refresh } from './refresh.ts'
import { reload } from './reload.ts'
import { start } from './start.ts'
import { status } from './status.ts'
import { stop } from './stop.ts'
import { up } from './up.ts'
import { version } from './version.ts'

/** Every command, in the order in which help lists them. */
export const commands: readonly Command[] = [up, status, explain, check, reload, refresh, flush, stop, start, force, drill, dns, completion, help, version]
