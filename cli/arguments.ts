import { parseArgs } from 'node:util'
import { parseDuration } from '../core/quantity.ts'
import { suggestion } from '../core/suggest.ts'
import type { Command, OptionKind, OptionSpec } from './command.ts'

export interface Arguments {
  readonly values: Record<string, string | number | boolean | undefined>
  readonly positionals: string[]
}

export const HELP: OptionSpec = { kind: 'flag', short: 'h', summary: 'show this help' }

/** Reads the arguments of a command, or says in one line what was mistyped. */
export function readArguments(command: Command, argv: readonly string[]): Arguments | string {
  const options: Readonly<Record<string, OptionSpec>> = { ...command.options, help: HELP }
  const shape = Object.entries(options).map(([name, { kind, short }]) => {
    const type: 'boolean' | 'string' = kind === 'flag' ? 'boolean' : 'string'
    return [name, short === undefined ? { type } : { type, short }] as const
  })
  const { tokens } = parseArgs({ args: [...argv], options: Object.fromEntries(shape), strict: false, allowPositionals: true, tokens: true })
  const values: Arguments['values'] = {}
  const positionals: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const spec = options[token.name]
    if (spec === undefined) return unknownOption(command, token.rawName, Object.keys(options))
    const isOption = token.inlineValue === false && token.value?.startsWith('-') === true && !(spec.kind === 'text' && /^-(\d|$)/.test(token.value))
    const given = isOption ? undefined : token.value
    const value = readValue(token.rawName, spec, given)
    if (typeof value === 'object') return value.trouble
    values[token.name] = value
  }
  if (values['help'] === true) return { values, positionals }
  return countTrouble(command, positionals) ?? { values, positionals }
}

function unknownOption(command: Command, typed: string, known: readonly string[]): string {
  const hint = suggestion(typed, known.map((name) => `--${name}`))
  return `${command.name} has no option ${typed}${hint === undefined ? ` (nearcast ${command.name} --help lists them)` : ` (${hint})`}`
}

function countTrouble(command: Command, positionals: readonly string[]): string | undefined {
  const missing = command.arguments[positionals.length]
  if (missing !== undefined && missing.optional !== true) return `${command.name} needs ${missing.name}${missing.among === undefined ? '' : ` (${missing.among.join(', ')})`}: ${usageOf(command)}`
  const last = command.arguments.at(-1)
  if (last?.many === true || positionals.length <= command.arguments.length) return undefined
  return `${command.name} does not take ${JSON.stringify(positionals[command.arguments.length])}: ${usageOf(command)}`
}

/** `nearcast stop EDGE [--now]`, as in help. */
export function usageOf(command: Command): string {
  const words = command.arguments.map(({ name, optional, many }) => (optional === true ? `[${name}${many === true ? '…' : ''}]` : many === true ? `${name}…` : name))
  const options = Object.entries(command.options).map(([name, { value }]) => `[--${name}${value === undefined ? '' : ` ${value}`}]`)
  return ['nearcast', command.name, ...words, ...options].join(' ')
}

const EXPECTED: Record<Exclude<OptionKind, 'flag'>, string> = {
  file: 'a file',
  folder: 'a folder',
  port: 'a port from 1 to 65535',
  duration: 'a duration such as 30s, 5m or 1h',
  number: 'a number',
  text: 'a value'
}

function readValue(typed: string, { kind }: OptionSpec, given: string | undefined): string | number | boolean | { trouble: string } {
  if (kind === 'flag') return given === undefined ? true : { trouble: `${typed} takes no value, but was given ${JSON.stringify(given)}` }
  if (given === undefined || given === '') return { trouble: `${typed} needs ${EXPECTED[kind]}` }
  const wrong = { trouble: `${typed} ${given}: expected ${EXPECTED[kind]}` }
  switch (kind) {
    case 'port': {
      const port = /^\d{1,5}$/.test(given) ? Number(given) : 0
      return port >= 1 && port <= 65535 ? port : wrong
    }
    case 'number':
      return /^\d+(\.\d+)?$/.test(given) ? Number(given) : wrong
    case 'duration':
      return parseDuration(given) ?? wrong
    default:
      return given
  }
}
