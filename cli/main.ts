// The command line: `main` finds the row of commands.ts, checks the arguments and runs it. One file per command; nothing
// else of Nearcast parses arguments. A command speaks to a running fleet through its admin API alone.
import { nearest, suggestion } from '../core/suggest.ts'
import { messageOf } from '../core/trouble.ts'
import { readArguments } from './arguments.ts'
import { mistyped, type Io } from './command.ts'
import { commandNames, loadCommand, loadCommands } from './commands.ts'
import { helpOf, overview } from './help.ts'

/**
 * Runs one command line.
 * @param argv the words after `nearcast`
 * @returns the exit status: 0, 1 when it could not be done, 2 when it was mistyped
 */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<number> {
  const [first, ...rest] = argv
  if (first === undefined || first === '--help' || first === '-h') {
    io.out(overview(await loadCommands()))
    return 0
  }
  const typed = first === '--version' || first === '-v' ? 'version' : first
  const command = await loadCommand(typed)
  if (command === undefined) return mistyped(io, unknownCommand(first))
  const read = readArguments(command, rest)
  if (typeof read === 'string') return mistyped(io, read)
  if (read.values['help'] === true) {
    io.out(helpOf(command))
    return 0
  }
  try {
    return await command.run({ ...read, io, commands: loadCommands })
  } catch (error) {
    // Our own trouble: whoever reports it needs the place.
    io.err(`nearcast: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}\n`)
    return 1
  }
}

function unknownCommand(typed: string): string {
  const what = typed.startsWith('-') ? `a command was expected before ${typed}` : `there is no command ${typed}`
  const meant = typed.startsWith('-') ? nearest(typed, ['--help', '--version']) : undefined
  const hint = typed.startsWith('-') ? meant && `did you mean ${meant}?` : suggestion(typed, commandNames)
  return `${what} (${hint ?? 'nearcast --help lists them'})`
}

/** The process's own output. A reader that has gone away, such as `head`, is no trouble; a disk that is full is. */
function processIo(): Io {
  let isCut = false
  process.stderr.on('error', () => undefined)
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || isCut) return
    isCut = true
    process.stderr.write(`nearcast: what was to be said could not be written: ${messageOf(error)}\n`)
    process.once('exit', () => {
      process.exitCode ||= 1
    })
  })
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    // What is no terminal has room for all of it.
    columns: process.stdout.columns ?? Infinity,
    colour: process.stdout.isTTY === true && process.stdout.hasColors(),
    readable: process.stderr.isTTY === true,
    cwd: currentFolder()
  }
}

/** The current folder may have been removed; paths in full, and the defaults, still do. */
function currentFolder(): string {
  try {
    return process.cwd()
  } catch {
    return '/'
  }
}
