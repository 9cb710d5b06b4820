import { pino, type Logger } from 'pino'
import pretty from 'pino-pretty'

export type { Logger }

/**
 * A logger that writes lines to standard error: JSON, or coloured text where `readable` is set (a terminal).
 * @param name who speaks, such as `dns` or `edge/icn`
 */
export function makeLogger(name: string, options: { readable: boolean; level?: string }): Logger {
  const level = options.level ?? 'info'
  const base = { name }
  if (!options.readable) return pino({ level, base }, pino.destination({ dest: 2, sync: true }))
  const stream = pretty({
    destination: 2,
    sync: true,
    // Node's own answer, which knows NO_COLOR and TERM.
    colorize: process.stderr.isTTY && process.stderr.hasColors(),
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname,name',
    // The message says it all to a person; the fields beside it are for machines.
    hideObject: true,
    messageFormat: '{name}: {msg}'
  })
  return pino({ level, base }, stream)
}
