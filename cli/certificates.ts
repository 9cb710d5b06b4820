import { dirname, resolve } from 'node:path'
import { coversName, readCertificatePair } from '../core/certificate.ts'
import type { Config } from '../core/config.ts'
import { readRegularFile } from '../core/regular-file.ts'
import { readYaml } from '../core/yaml-file.ts'
import { whyUnreadable, type Fault } from '../core/trouble.ts'
import type { NamedPath } from './folders.ts'

// The certificates that a configuration names.

interface Named {
  readonly at: readonly string[]
  readonly certificate: string
  readonly key: string
  readonly names: readonly string[]
}

const pathOf = (file: NamedPath, label: string): string => resolve(dirname(file.path), label)

/** A pair that stands somewhere in the configuration. */
function namedIn({ https, distributions, domain }: Config): Named[] {
  const found: Named[] = []
  if (https?.certificate !== undefined && https.key !== undefined) found.push({ at: ['https'], certificate: https.certificate, key: https.key, names: [] })
  for (const [id, { certificate, key, aliases }] of Object.entries(distributions)) {
    if (certificate !== undefined && key !== undefined) found.push({ at: ['distributions', id], certificate, key, names: [`${id}.${domain}`, ...aliases] })
  }
  return found
}

/** What is wrong with the files, at the places that name them: unreadable, no pair, or (a warning) not for the names. */
export function checkCertificates(file: NamedPath, text: string, config: Config): Fault[] {
  const named = namedIn(config)
  if (named.length === 0) return []
  const source = readYaml(file.label, text)
  return named.flatMap(({ at, certificate, key, names }): Fault[] => {
    const fault = (which: 'certificate' | 'key', reason: string, severity: Fault['severity'] = 'error'): Fault => ({ ...source.position([...at, which]), severity, reason: `${[...at, which].join('.')}: ${which === 'key' ? key : certificate}: ${reason}` })
    const texts: string[] = []
    for (const which of ['certificate', 'key'] as const) {
      try {
        texts.push(readRegularFile(pathOf(file, which === 'key' ? key : certificate)).toString('latin1'))
      } catch (error) {
        return [fault(which, `cannot be read: ${whyUnreadable(error)}`)]
      }
    }
    const pair = readCertificatePair(texts[0]!, texts[1]!)
    if (!('leaf' in pair)) return [fault(pair.file, pair.reason)]
    return names.filter((name) => !coversName(pair.leaf, name)).map((name) => fault('certificate', `the certificate is not for ${name}`, 'warning'))
  })
}

/** The same configuration with whole paths: workers know no nearcast.yaml beside which the files lie. */
export function withCertificatePaths(file: NamedPath, config: Config): Config {
  const whole = <T extends { certificate?: string | undefined; key?: string | undefined }>(value: T): T =>
    value.certificate === undefined || value.key === undefined ? value : { ...value, certificate: pathOf(file, value.certificate), key: pathOf(file, value.key) }
  const distributions = Object.fromEntries(Object.entries(config.distributions).map(([id, distribution]) => [id, whole(distribution)]))
  return { ...config, distributions, ...(config.https !== undefined && { https: whole(config.https) }) }
}
