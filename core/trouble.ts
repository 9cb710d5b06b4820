/** Where in an operator's file a fault stands. Lines and columns count from 1. */
export interface Position {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** One mistake of the operator's: where it stands, what is wrong, and what was probably meant. */
export interface Fault extends Position {
  readonly severity: 'error' | 'warning'
  readonly reason: string
  readonly hint?: string
}

/** `file:line:column: reason (hint)`, the one line in which every fault is shown. */
export function formatFault(fault: Fault): string {
  const kind = fault.severity === 'warning' ? 'warning: ' : ''
  const hint = fault.hint === undefined ? '' : ` (${fault.hint})`
  return `${fault.file}:${fault.line}:${fault.column}: ${kind}${fault.reason}${hint}`
}

/** The operator's trouble: one or more faults in what they wrote. Its message is what they are shown. */
export class ConfigError extends Error {
  readonly faults: readonly Fault[]
  constructor(faults: readonly Fault[]) {
    super(faults.map(formatFault).join('\n'))
    this.name = 'ConfigError'
    this.faults = faults
  }
}

/** The text of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** Why a file could not be read, in the system's words without its code and the path: `no such file or directory`. */
export function whyUnreadable(thrown: unknown): string {
  return /^E[A-Z]+: ([^,]+),/.exec(messageOf(thrown))?.[1] ?? messageOf(thrown)
}

/** The arm of a switch that no value may reach: a new member of a union then fails to compile wherever it matters. */
export function never(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`)
}
