import { suggestion } from '../core/suggest.ts'
import { HELP, usageOf } from './arguments.ts'
import { mistyped, type Command, type OptionSpec } from './command.ts'

const WIDTH = 96

/** `nearcast --help`: every command in a line. */
export function overview(commands: readonly Command[]): string {
  const widest = Math.max(...commands.map(({ name }) => name.length))
  const rows = commands.map(({ name, summary }) => `  ${name.padEnd(widest)}  ${summary}`)
  const examples = ['npm start', 'npx nearcast status', 'npx nearcast explain d111111abcdef8.nearcast.test --from 168.126.63.1']
  return lines([
    'Nearcast answers DNS with the nearest healthy edge, and runs the edges.',
    '',
    'Usage: nearcast COMMAND [OPTIONS]',
    '',
    'Commands:',
    ...rows,
    '',
    'nearcast COMMAND --help tells more. Outside the repository: ./bin/nearcast.js COMMAND.',
    '',
    'Examples:',
    ...examples.map((example) => `  ${example}`)
  ])
}

/** `nearcast COMMAND --help`. */
export function helpOf(command: Command): string {
  const options = Object.entries({ ...command.options, help: HELP })
  const heads = options.map(([name, spec]) => headOf(name, spec))
  const widest = Math.max(...heads.map((head) => head.length))
  return lines([
    `${command.summary[0]!.toUpperCase()}${command.summary.slice(1)}.`,
    ...(command.details === undefined ? [] : ['', ...command.details]),
    '',
    ...wrap(`Usage: ${usageOf(command)}`, '       '),
    '',
    'Options:',
    ...options.flatMap(([, { summary }], index) => wrap(`  ${heads[index]!.padEnd(widest)}  ${summary}`, ' '.repeat(widest + 4))),
    '',
    'Examples:',
    ...command.examples.map((example) => `  ${example}`)
  ])
}

function headOf(name: string, { short, value }: OptionSpec): string {
  return `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`
}

const lines = (all: readonly string[]): string => `${all.join('\n')}\n`

/** Breaks a line at spaces; what follows is indented. Options in brackets stay whole. */
function wrap(text: string, indent: string): string[] {
  const words = text.match(/\[[^\]]*\]|\s+|[^\s[]+/g) ?? []
  const out: string[] = []
  let line = ''
  for (const word of words) {
    if (line.length + word.length > WIDTH && line.trim() !== '') {
      out.push(line.trimEnd())
      line = indent
      if (word.trim() === '') continue
    }
    line += word
  }
  return line.trim() === '' ? out : [...out, line.trimEnd()]
}

export const help: Command = {
  name: 'help',
  summary: 'show all commands, or how one is used',
  arguments: [{ name: 'COMMAND', optional: true, completes: 'command' }],
  options: {},
  examples: ['nearcast help', 'nearcast help up'],
  run: async ({ positionals: [name], io, commands: load }) => {
    const commands = await load()
    const command = commands.find((row) => row.name === name)
    if (name !== undefined && command === undefined) {
      const hint = suggestion(name, commands.map((row) => row.name))
      return mistyped(io, `there is no command ${name}${hint === undefined ? '' : ` (${hint})`}`)
    }
    io.out(command === undefined ? overview(commands) : helpOf(command))
    return 0
  }
}
