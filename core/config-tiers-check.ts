import { CHECK_SETTINGS } from './config-checks.ts'
import { LEAST_DISK } from './config-cdn.ts'
import type { Config } from './config.ts'
import { suggestion } from './suggest.ts'
import type { Fault } from './trouble.ts'
import type { YamlFile } from './yaml-file.ts'

/** What the tiers say of each other. @param namesIn the names in one map of the file, those of entries with faults too */
export function checkTiers(config: Config, source: YamlFile, namesIn: (source: YamlFile, key: string) => string[]): Fault[] {
  const faults: Fault[] = []
  const fault = (path: readonly PropertyKey[], reason: string, hint?: string): void => {
    faults.push({ ...source.position(path), severity: 'error', reason: `${path.map(String).join('.')}: ${reason}`, ...(hint !== undefined && { hint }) })
  }
  const reference = (path: readonly PropertyKey[], name: string | undefined, what: string, known: string[]): void => {
    if (name !== undefined && !known.includes(name)) fault(path, `there is no ${what} ${name}`, suggestion(name, known))
  }
  const regionals = namesIn(source, 'regionals')
  const shields = namesIn(source, 'shields')
  for (const [name, { parent = [] }] of Object.entries(config.edges)) {
    if (parent.length === 1) reference(['edges', name, 'parent'], parent[0], 'regional or shield', [...regionals, ...shields])
    if (parent.length < 2) continue
    for (const [index, each] of parent.entries()) {
      const path = ['edges', name, 'parent', index]
      if (parent.indexOf(each) < index) fault(path, `${each} stands here twice`)
      else if (shields.includes(each)) fault(path, `${each} is a shield: only regionals share keys`, 'the shield is named by the regionals, or by the distribution')
      else reference(path, each, 'regional', regionals)
    }
  }
  const { disk } = config.cache
  for (const [name, { workers }] of Object.entries(config.edges)) if (disk !== 0 && disk / workers < LEAST_DISK) fault(['edges', name, 'workers'], `each of ${workers} workers has less than 16MiB of cache.disk`, `cache.disk: ${workers * 16}MiB, or fewer workers`)
  for (const [name, { shield }] of Object.entries(config.regionals)) reference(['regionals', name, 'shield'], shield, 'shield', shields)
  for (const [id, distribution] of Object.entries(config.distributions)) {
    for (const key of ['shield', 'fallback-shield'] as const) reference(['distributions', id, key], distribution[key], 'shield', shields)
    if (distribution.shield !== undefined && distribution.shield === distribution['fallback-shield']) fault(['distributions', id, 'fallback-shield'], 'it is the shield itself')
  }
  const origins = namesIn(source, 'origins')
  for (const [name, origin] of Object.entries(config.origins)) if ('url' in origin) reference(['origins', name, 'check'], origin.check, 'check', ['default', ...namesIn(source, 'checks').filter((check) => !CHECK_SETTINGS.includes(check))])
  for (const [name, group] of Object.entries(config['origin-groups'])) {
    if (origins.includes(name)) fault(['origin-groups', name], `${name} is already the name of an origin`)
    const members = Object.keys(group.origins)
    if (members.length === 0) fault(['origin-groups', name, 'origins'], 'there is no origin in it')
    const written = source.value as { 'origin-groups': Record<string, { origins: unknown }> }
    const list = written['origin-groups'][name]!.origins
    for (const member of members) reference(['origin-groups', name, 'origins', Array.isArray(list) ? list.indexOf(member) : member], member, 'origin', origins)
  }
  return faults
}
