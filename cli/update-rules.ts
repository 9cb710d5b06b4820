import { readYaml } from '../core/yaml-file.ts'
import type { Config } from '../core/config.ts'
import { suggestion } from '../core/suggest.ts'
import type { Fault } from '../core/trouble.ts'
import { namePatternFault } from '../daemon/update/index.ts'
import { MNEMONIC_LIST, nameFromText, typeFromText } from '../daemon/wire/index.ts'

/** What is wrong with the names and types of `allow-update`. */
export function checkUpdateRules(file: string, text: string, { zones }: Config): Fault[] {
  const source = readYaml(file, text)
  const faults: Fault[] = []
  const fault = (path: readonly PropertyKey[], reason: string, hint?: string): void =>
    void faults.push({ ...source.position(path), severity: 'error', reason: `${path.map(String).join('.')}: ${reason}`, ...(hint !== undefined && { hint }) })
  for (const [zone, rules] of Object.entries(zones)) {
    const origin = nameFromText(zone)
    for (const [index, { names = [], types = [] }] of rules['allow-update'].entries()) {
      const path = ['zones', zone, 'allow-update', index]
      for (const [place, name] of names.entries()) {
        const wrong = typeof origin === 'string' ? origin : namePatternFault(name, origin)
        if (wrong !== undefined) fault([...path, 'names', place], `${name}: ${wrong}`, 'names are relative to the zone, or end in a dot')
      }
      for (const [place, type] of types.entries()) {
        if (typeFromText(type) === undefined) fault([...path, 'types', place], `there is no type ${type}`, suggestion(type.toUpperCase(), MNEMONIC_LIST))
      }
    }
  }
  return faults
}

/** Where updates are allowed, and nothing could outlive a restart. */
export function updatesWithoutState({ zones }: Config): string | undefined {
  const zone = Object.keys(zones).find((name) => zones[name]!['allow-update'].length > 0)
  return zone && `zones.${zone}.allow-update: updates are kept in a state folder, and none is given (--state DIR)`
}
