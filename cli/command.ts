/** Where a command reads and writes: the process, or a test's own. */
export interface Io {
  out(text: string): void
  err(text: string): void
  /** Width of the terminal; 100 when there is none. */
  readonly columns: number
  readonly colour: boolean
  /** Standard error is a terminal: log lines are read by a person. */
  readonly readable: boolean
  /** Current folder. */
  readonly cwd: string
}

/** What the value of an option is; each is checked and explained in one place (arguments.ts). */
export type OptionKind = 'flag' | 'file' | 'folder' | 'port' | 'duration' | 'number' | 'text'

export interface OptionSpec {
  readonly kind: OptionKind
  /** How the value is called in help: `N`, `DIR`. */
  readonly value?: string
  readonly summary: string
  readonly short?: string
}

/** What a positional argument is, for help, for counting and for completion. */
export interface ArgumentSpec {
  readonly name: string
  readonly optional?: boolean
  readonly many?: boolean
  /** The words that it may be, where they are few. */
  readonly among?: readonly string[]
  readonly completes?: 'member' | 'file' | 'command' | 'shell' | 'anycast' | 'state'
}

/** The arguments of one call, checked: ports and numbers are numbers, durations milliseconds, flags true. */
export interface Call {
  readonly values: Readonly<Record<string, string | number | boolean | undefined>>
  readonly positionals: readonly string[]
  readonly io: Io
  /** The whole table, for help and completion. */
  commands(): Promise<readonly Command[]>
}

/** One row of the command table. */
export interface Command {
  readonly name: string
  readonly summary: string
  /** More than the summary, for `--help`; lines as they are to stand. */
  readonly details?: readonly string[]
  readonly arguments: readonly ArgumentSpec[]
  readonly options: Readonly<Record<string, OptionSpec>>
  readonly examples: readonly string[]
  /** @returns the exit status: 0, 1 when it could not be done, 2 when it was mistyped */
  run(call: Call): Promise<number>
}

/** Text value of an option, when given. */
export function textOf(call: Call, option: string): string | undefined {
  const value = call.values[option]
  return typeof value === 'string' ? value : undefined
}

/** Number, port or milliseconds of an option, when given. */
export function numberOf(call: Call, option: string): number | undefined {
  const value = call.values[option]
  return typeof value === 'number' ? value : undefined
}

export const isSet = (call: Call, option: string): boolean => call.values[option] === true

/** One line for something mistyped; exit status 2. */
export function mistyped(io: Io, line: string): number {
  io.err(`nearcast: ${line}\n`)
  return 2
}

/** One line for something that could not be done; exit status 1. */
export function failed(io: Io, line: string): number {
  io.err(`nearcast: ${line}\n`)
  return 1
}
