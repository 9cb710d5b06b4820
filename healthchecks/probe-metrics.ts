import type { TlsSpec } from './certificate.ts'
import { askAll, type Attempt, type Probe, type ProbeTarget } from './probe.ts'
import { readBody, request } from './probe-http.ts'

/** A page that tells the target's load, and perhaps its capacity: JSON, or the text format of Prometheus. */
export interface MetricsSpec extends ProbeTarget {
  readonly kind: 'metrics'
  readonly port: number
  readonly path: string
  readonly host?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly tls?: TlsSpec
  /** Names of metrics. */
  readonly load: string
  readonly capacity?: string
  /** A greater load fails. */
  readonly most?: number
}

const LARGEST_PAGE = 1024 * 1024
/** Sums and ratios of greater figures, or of smaller parts of one, are no numbers any more: one edge would spoil the shares of all. */
const GREATEST = 1e15

export const probeMetrics: Probe<MetricsSpec> = (spec, options) =>
  askAll(spec, options, (address) =>
    request(address, spec, options, (response, attempt) => {
      const status = response.statusCode ?? 0
      if (status !== 200) attempt.fail(`status ${status}`)
      else readBody(response, attempt, LARGEST_PAGE, (octets) => judge(Buffer.from(octets).toString('utf8'), spec, attempt))
    })
  )

function judge(page: string, { load, capacity, most }: MetricsSpec, attempt: Attempt): void {
  const read = readerOf(page)
  const found = read(load)
  if (found !== undefined && found > GREATEST) return attempt.fail(`load ${found} is no figure to go by`)
  if (found === undefined) return attempt.fail(`there is no metric ${load}`)
  const able = capacity === undefined ? undefined : read(capacity)
  if (capacity !== undefined && (able === undefined || able <= 0)) return attempt.fail(`there is no metric ${capacity} above 0`)
  if (able !== undefined && (able > GREATEST || able < 1 / GREATEST)) return attempt.fail(`capacity ${able} is no figure to go by`)
  if (most !== undefined && found > most) return attempt.fail(`load ${found} is above ${most}`)
  attempt.pass(`load ${found}${able === undefined ? '' : ` of ${able}`}`, { load: Math.max(0, found), ...(able !== undefined && { capacity: able }) })
}

/** Finds metrics by their names, whichever form the page has. */
function readerOf(page: string): (name: string) => number | undefined {
  if (!page.trimStart().startsWith('{')) return (name) => fromText(page, name)
  let value: unknown
  try {
    value = JSON.parse(page)
  } catch {
    return () => undefined
  }
  return (name) => fromJson(value, name)
}

/** `stats.load`: a path through maps and lists. */
function fromJson(value: unknown, name: string): number | undefined {
  let at = value
  for (const step of name.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined
    at = (at as Readonly<Record<string, unknown>>)[step]
  }
  const number = typeof at === 'string' && at.trim() !== '' ? Number(at) : at
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}

/** The sum of the samples with this name, or the one with just these labels: `name`, `name{a="1",b="2"}`. */
function fromText(page: string, name: string): number | undefined {
  let sum: number | undefined
  for (const line of page.split('\n')) {
    if (!line.startsWith(name)) continue
    const rest = name.includes('{') ? line.slice(name.length) : line.slice(name.length).replace(/^\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\}/, '')
    const value = /^\s+(\S+)/.exec(rest)?.[1]
    const number = Number(value)
    if (value !== undefined && Number.isFinite(number)) sum = (sum ?? 0) + number
  }
  return sum
}
