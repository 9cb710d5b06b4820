import { z } from 'zod'
import { configSchema } from '../../core/config.ts'

interface Schema {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly unit?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
}

interface Row {
  readonly key: string
  readonly schema: Schema
  readonly required: boolean
}

const INTRODUCTION = `# Configuration: nearcast.yaml

Every key, with its type, its default and what it does. This page is written from the schema by \`npm run docs\`; \`npx nearcast check\` holds a file against the same schema. Keys that are not listed here are refused.

Durations are written \`250ms\`, \`2s\`, \`1m\`, \`1h\` or \`1d\`; sizes \`512B\`, \`64KiB\`, \`256MiB\` or \`2GiB\`. NAME stands for a name of your choosing: lower-case letters, digits and hyphens. A change takes effect at the next start; zone files and policies take effect at once.
`

/** The text of docs/configuration.md. */
export function configurationPage(): string {
  const schema = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Schema
  const rows = rowsOf('', schema)
  const top = rows.filter((row) => !row.key.includes('.'))
  const sections = top.filter((row) => rows.some((other) => other.key.startsWith(`${row.key}.`)))
  const plain = top.filter((row) => !sections.includes(row))
  const chapters = sections.map((section) => {
    const below = rows.filter((row) => row.key.startsWith(`${section.key}.`))
    return `## ${section.key}\n\n${sentence(section.schema.description)}\n\n${table(below)}`
  })
  return `${INTRODUCTION}\n${table(plain)}\n${chapters.join('\n')}`
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(({ key, schema, required }) => `| \`${key}\` | ${typeText(schema)} | ${defaultText(schema, required)} | ${cell(schema.description ?? '')} |`)
  return `| key | type | default | what it does |\n| --- | --- | --- | --- |\n${lines.join('\n')}\n`
}

/** One row per key, depth first; a map of names adds NAME to the path, a list []. */
function rowsOf(path: string, schema: Schema): Row[] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, value]) => {
    const key = path === '' ? name : `${path}.${name}`
    return [{ key, schema: value, required: schema.required?.includes(name) === true }, ...rowsOf(key, value)]
  })
  const named = typeof schema.additionalProperties === 'object' ? rowsOf(`${path}.NAME`, schema.additionalProperties) : []
  const items = schema.items === undefined ? [] : rowsOf(`${path}[]`, schema.items)
  const choices = (schema.anyOf ?? []).flatMap((choice) => rowsOf(path, choice))
  return [...own, ...named, ...items, ...choices]
}

function typeText(schema: Schema): string {
  if (schema.unit !== undefined) return cell(schema.unit)
  if (schema.const !== undefined) return `\`${String(schema.const)}\``
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ')
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeText).join(' or ')
  if (schema.type === 'integer' || schema.type === 'number') {
    const bounded = schema.minimum !== undefined && schema.maximum !== undefined && schema.maximum < Number.MAX_SAFE_INTEGER
    return bounded ? `number, ${schema.minimum} to ${schema.maximum}` : 'number'
  }
  if (schema.type === 'array') return `list of ${schema.items === undefined ? 'values' : typeText(schema.items)}`
  if (schema.type === 'object') return 'map'
  if (schema.type === 'boolean') return '`true` or `false`'
  return schema.type === 'string' ? 'text' : 'value'
}

function defaultText(schema: Schema, required: boolean): string {
  if (schema.default === undefined) return required ? 'required' : 'none'
  if (typeof schema.default === 'object' && Object.keys(schema.default as object).length === 0) return 'empty'
  return `\`${typeof schema.default === 'string' ? schema.default : cell(JSON.stringify(schema.default))}\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

function sentence(text = ''): string {
  return text === '' ? '' : `${text[0]!.toUpperCase()}${text.slice(1)}.`
}
