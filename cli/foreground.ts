import { constants } from 'node:os'
import { signalOnParentDeath } from '../core/native.ts'

// What a command that runs until it is told to end has in common with others of its kind.

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Catches the signals that ask a program to end: `asked` resolves with the first, and `forget` lets them be again. */
export function whenAsked(): { readonly asked: Promise<'asked'>; forget(): void } {
  let ask: (what: 'asked') => void = () => undefined
  const asked = new Promise<'asked'>((resolve) => {
    ask = resolve
  })
  const onSignal = (): void => ask('asked')
  for (const signal of SIGNALS) process.on(signal, onSignal)
  return {
    asked,
    forget: () => {
      for (const signal of SIGNALS) process.off(signal, onSignal)
    }
  }
}

/** npm passes INT and TERM on; when it ends by anything else, its script would be left behind. */
export function endWithNpm(): void {
  if (['start', 'npx'].includes(process.env['npm_lifecycle_event'] ?? '')) signalOnParentDeath(constants.signals.SIGTERM)
}

/** Where systemd wants to hear that this runs, and how often, in microseconds; 0: not again. */
export function systemdWishes(): { readonly socket: string | undefined; readonly watchdogUs: number } {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: watchdog, WATCHDOG_PID: pid } = process.env
  return { socket, watchdogUs: pid === undefined || pid === String(process.pid) ? Number(watchdog ?? 0) || 0 : 0 }
}
