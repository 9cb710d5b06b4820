import type { Config } from '../../core/config.ts'
import { makeHealthTable, planCheck, type Checker, type CheckTarget } from '../../healthchecks/index.ts'

/** The name by which an origin is shown and forced: a member may have the same one. */
const PREFIX = 'origin/'

/** The origins that name a check, and which of them are down: edges, regionals and shields ask those last. */
export interface OriginHealth {
  readonly targets: readonly CheckTarget[]
  /** Something changed of the target of this name. */
  note(name: string, checker: Pick<Checker, 'report'>): void
}

/** @param tell is told the names of the origins that are down, whenever they are others than before */
export function watchOrigins(config: Config, tell: (down: readonly string[]) => void): OriginHealth {
  const checked = Object.entries(config.origins).flatMap(([name, origin]) => ('url' in origin && origin.check !== undefined ? [{ name, url: new URL(origin.url), check: origin.check }] : []))
  const table = makeHealthTable(checked.length)
  const targets = checked.map(({ name, url, check }, index): CheckTarget => {
    const address = url.hostname.replace(/^\[(.*)\]$/, '$1')
    const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
    return { name: PREFIX + name, plan: planCheck(check, config.checks.named, { name, addresses: [address], port }), table, index }
  })
  let told = ''
  return {
    targets,
    note: (changed, checker) => {
      if (!changed.startsWith(PREFIX)) return
      const down = checked.filter(({ name }) => isDown(checker.report(PREFIX + name))).map(({ name }) => name)
      if (down.join() === told) return
      told = down.join()
      tell(down)
    }
  }
}

const isDown = (report: ReturnType<Checker['report']>): boolean => report !== undefined && (report.forced === 'none' ? report.verdict === 'DOWN' : report.forced !== 'up')
