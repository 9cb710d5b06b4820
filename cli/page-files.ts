import { dirname, resolve } from 'node:path'
import type { Config } from '../core/config.ts'
import { readRegularFile } from '../core/regular-file.ts'
import { whyUnreadable, type Fault } from '../core/trouble.ts'
import { readYaml } from '../core/yaml-file.ts'
import type { NamedPath } from './folders.ts'

const LARGEST = 1024 * 1024

/** What is wrong with the files of error pages, at the places that name them. */
export function checkPageFiles(file: NamedPath, text: string, config: Config): Fault[] {
  const named = Object.entries(config.distributions).flatMap(([id, { 'error-pages': pages }]) => Object.entries(pages).flatMap(([status, page]) => ('file' in page ? [{ at: ['distributions', id, 'error-pages', status, 'file'], page: page.file }] : [])))
  if (named.length === 0) return []
  const source = readYaml(file.label, text)
  return named.flatMap(({ at, page }): Fault[] => {
    const fault = (reason: string): Fault[] => [{ ...source.position(at), severity: 'error', reason: `${at.join('.')}: ${page}: ${reason}` }]
    try {
      const { length } = readRegularFile(resolve(dirname(file.path), page))
      return length > LARGEST ? fault(`it has ${length} octets, and 1 MiB is the most`) : []
    } catch (error) {
      return fault(`cannot be read: ${whyUnreadable(error)}`)
    }
  })
}

/** The same configuration with whole paths: workers know no nearcast.yaml beside which the files lie. */
export function withPagePaths(file: NamedPath, config: Config): Config {
  const distributions = Object.entries(config.distributions).map(([id, distribution]) => {
    const pages = Object.entries(distribution['error-pages']).map(([status, page]) => [status, 'file' in page ? { ...page, file: resolve(dirname(file.path), page.file) } : page])
    return [id, { ...distribution, 'error-pages': Object.fromEntries(pages) }]
  })
  return { ...config, distributions: Object.fromEntries(distributions) }
}
