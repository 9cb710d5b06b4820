import { existsSync, readFileSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import type { Response } from 'maxmind'
import { formatAddress } from '../core/address.ts'
import { lazyPackage } from '../core/lazy-package.ts'
import { ConfigError, messageOf } from '../core/trouble.ts'
import { addOctets, makePrefixList, type Prefixes, type PrefixList } from './prefixes.ts'
import { flatten, openTree } from './tree.ts'

const maxmind = lazyPackage<typeof import('maxmind')>('maxmind')

const DROPPED = ['GeoLite2-ASN.mmdb', 'dbip-asn-lite.mmdb']

/**
 * Which database says to which autonomous system a network belongs. None comes with Nearcast.
 * @param options.folder where operators drop databases: geodb/ beside package.json, absolute
 * @param options.setting `geo.asn`: `auto`, or a file's path, absolute or from the working folder or from `folder`
 * @returns its absolute path; undefined when there is none
 */
export function findAsDatabase({ folder, setting }: { folder: string; setting: string }): string | undefined {
  if (setting === 'auto') return DROPPED.map((name) => join(folder, name)).find((path) => existsSync(path))
  return (isAbsolute(setting) ? [setting] : [resolve(setting), join(folder, setting)]).find((path) => existsSync(path))
}

/**
 * The prefixes of some autonomous systems, as a MaxMind-format database has them.
 * @throws ConfigError when the file cannot be read or knows no autonomous systems
 */
export function readAsDatabase(path: string, wanted: ReadonlySet<number>): Map<number, PrefixList> {
  const refuse = (reason: string): ConfigError => new ConfigError([{ file: path, line: 1, column: 1, severity: 'error', reason }])
  try {
    const bytes = readFileSync(path)
    const found = prefixesOf(bytes, wanted)
    if (found === undefined) throw refuse('has no autonomous systems in it')
    return found
  } catch (error) {
    throw error instanceof ConfigError ? error : refuse(`is not a MaxMind-format database that can be used: ${messageOf(error)}`)
  }
}

/**
 * Opens a MaxMind-format database for questions about single addresses.
 * @returns the autonomous system of an address of 4 or 16 octets; undefined where the database has none
 * @throws Error when the file cannot be read
 */
export function openAsDatabase(path: string): (address: Uint8Array) => number | undefined {
  const { Reader } = maxmind()
  const reader = new Reader<Response>(readFileSync(path))
  return (address) => asnOf(reader.get(formatAddress(address)))
}

function prefixesOf(bytes: Buffer, wanted: ReadonlySet<number>): Map<number, PrefixList> | undefined {
  const { Reader } = maxmind()
  const reader = new Reader<Response>(bytes)
  const tree = openTree(bytes, reader.metadata)
  // Numbers of autonomous systems are longer than those of places: the tree is flattened by their index.
  const list = [...wanted]
  const indexes = new Map(list.map((asn, index) => [asn, index + 1]))
  const leaves = new Map<number, number>()
  let hasSystems = false
  const indexOf = (leaf: number, address: Uint32Array): number => {
    let index = leaves.get(leaf)
    if (index === undefined) {
      const asn = asnOf(reader.get(textOf(address)))
      hasSystems ||= asn !== undefined
      index = (asn === undefined ? undefined : indexes.get(asn)) ?? 0
      leaves.set(leaf, index)
    }
    return index
  }
  const v4 = flatten(tree, 4, {}, indexOf)
  const v6 = flatten(tree, 6, {}, indexOf)
  if (!hasSystems) return undefined
  const found = new Map(list.map((asn) => [asn, makePrefixList()]))
  for (const { count, width, starts, values } of [v4, v6]) {
    for (let block = 0; block < count; block++) {
      const index = values[block]! >>> 8
      if (index > 0) addWords(found.get(list[index - 1]!)![width === 1 ? 'v4' : 'v6'], starts.subarray(block * width, (block + 1) * width), values[block]! & 0xff)
    }
  }
  return found
}

function addWords(prefixes: Prefixes, words: Uint32Array, length: number): void {
  const octets = new Uint8Array(words.length * 4)
  for (const [index, word] of words.entries()) new DataView(octets.buffer).setUint32(index * 4, word)
  addOctets(prefixes, octets, length)
}

/** GeoLite2 and DB-IP say it in a number, others in a text such as AS64500. */
function asnOf(record: unknown): number | undefined {
  if (typeof record !== 'object' || record === null) return undefined
  const { autonomous_system_number: number, asn } = record as Record<string, unknown>
  const written = number ?? asn
  const value = typeof written === 'string' ? Number(written.replace(/^AS/i, '')) : written
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : undefined
}

function textOf(words: Uint32Array): string {
  const bytes = new Uint8Array(words.length * 4)
  for (const [index, word] of words.entries()) new DataView(bytes.buffer).setUint32(index * 4, word)
  return formatAddress(bytes)
}
