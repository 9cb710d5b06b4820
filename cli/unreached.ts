import type { Config } from '../core/config.ts'
import { matchesGlob } from '../core/glob.ts'
import type { Fault } from '../core/trouble.ts'
import { readYaml } from '../core/yaml-file.ts'

/** Warnings of behaviours that no request comes to, since one before them takes every path that fits. */
export function checkReached(label: string, text: string, config: Config): Fault[] {
  const found = Object.entries(config.distributions).flatMap(([id, { behaviours }]) =>
    behaviours.flatMap(({ path }, index) => {
      const before = behaviours.findIndex((other, at) => at < index && other.when === undefined && takesAll(other.path, path))
      return before < 0 ? [] : [{ at: ['distributions', id, 'behaviours', index, 'path'], path, before, taker: behaviours[before]!.path }]
    })
  )
  if (found.length === 0) return []
  const source = readYaml(label, text)
  return found.map(({ at, path, before, taker }) => ({ ...source.position(at), severity: 'warning', reason: `${at.join('.')}: ${path} is never reached: behaviours.${before} before it takes ${taker}` }))
}

/** Whether whatever fits `later` fits `earlier`. A `?` of `earlier` would take a `*` for one character. */
function takesAll(earlier: string, later: string): boolean {
  return earlier === later || (!earlier.includes('?') && matchesGlob(earlier, later))
}
