import { parseArgs } from 'node:util'

/** An option of a tool: what stands behind it, nothing for one that stands alone, and what it means. */
export interface ToolOption {
  readonly value?: string
  readonly about: string
}

/**
 * What a tool was asked for by `--name value`; `--help` and mistypes are answered, and end the process.
 * @param about what it does, in a line
 */
export function readToolOptions<Name extends string>(tool: string, about: string, options: Readonly<Record<Name, ToolOption>>): Partial<Record<Name, string>> {
  const rows = Object.entries<ToolOption>(options).map(([name, { value, about: what }]) => [`--${name}${value === undefined ? '' : ` ${value}`}`, what] as const)
  const usage = [`npm run ${tool} -- [options]: ${about}`, '', ...[...rows, ['--help', 'this'] as const].map(([name, what]) => `  ${name.padEnd(20)}${what}`), ''].join('\n')
  try {
    const kinds = Object.fromEntries(Object.entries<ToolOption>(options).map(([name, { value }]) => [name, { type: value === undefined ? ('boolean' as const) : ('string' as const) }]))
    const { values } = parseArgs({ options: { ...kinds, help: { type: 'boolean' } } })
    if (values['help'] !== true) return checked(values, options)
    process.stdout.write(usage)
    process.exit(0)
  } catch (error) {
    process.stderr.write(`${tool}: ${(error as Error).message.split('. ')[0]}\n\n${usage}`)
    process.exit(2)
  }
}

function checked<Name extends string>(values: Readonly<Record<string, unknown>>, options: Readonly<Record<Name, ToolOption>>): Partial<Record<Name, string>> {
  const read = Object.entries(values).map(([name, value]) => {
    if (options[name as Name].value === 'N' && !(Number(value) > 0)) throw new Error(`--${name}: expected a number above zero, found ${String(value)}`)
    return [name, String(value)] as const
  })
  return Object.fromEntries(read) as Partial<Record<Name, string>>
}
