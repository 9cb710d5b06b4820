import type { Clock } from '../../core/clock.ts'
import { formatDuration } from '../../core/quantity.ts'
import type { Checker } from '../../healthchecks/index.ts'
import type { Forces } from './forces.ts'

export interface ReasonsOptions {
  readonly checker: Pick<Checker, 'report'>
  readonly forces: Pick<Forces, 'get'>
  readonly clock: Pick<Clock, 'now'>
}

/** Why a target is not simply up, by the name by which it is checked, for explanations; undefined when it is. */
export function makeReasons({ checker, forces, clock }: ReasonsOptions): (name: string) => string | undefined {
  const since = (at: number): string => formatDuration(Math.max(0, clock.now() - at))
  return (name) => {
    const force = forces.get(name)
    if (force !== undefined) return `forced ${force.state} for ${since(force.since)}: ${force.why}`
    const report = checker.report(name)
    if (report === undefined || (report.verdict !== 'DOWN' && !report.suspect)) return undefined
    const { verdict, why, check } = report
    return `${check === 'default' ? '' : `check ${check} `}${verdict === 'DOWN' ? `down for ${since(report.since)}` : 'in doubt'}: ${why}`
  }
}
