import { dirname, join } from 'node:path'
import type { Prefix } from '../../core/address.ts'
import { suggestion } from '../../core/suggest.ts'
import { messageOf, type Fault } from '../../core/trouble.ts'
import type { YamlFile } from '../../core/yaml-file.ts'
import { joinPrefixes, prefixListOf, readAsFile, readPrefixFile, type PrefixList } from '../../geodb/index.ts'
import { asKey, asOfKey, isAsLike, isPrefixLike, prefixKey, readPrefix, type NetworkPlan } from './networks.ts'
import { isRecord } from './reading.ts'

// `networks:` of policies.yaml: collections of prefixes and of autonomous systems, by name, from the file itself or others.

type Path = readonly PropertyKey[]

/** What a reader of policies needs for networks. */
export interface NetworkOptions {
  /** The octets of a file that a collection names, by its path as shown in messages; throws what the system says. Absent: there are no files. */
  readonly read?: ((shown: string) => Uint8Array) | undefined
  /** Whether there is a database of autonomous systems. Absent: nobody looked. */
  readonly hasAsDatabase?: boolean | undefined
}

/** A collection as it was read. */
interface Collection {
  readonly prefixes: PrefixList
  readonly asns: readonly number[]
}

const KEYS = ['prefixes', 'file', 'as', 'as-file'] as const
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$/
const HINT = 'such as office: [192.0.2.0/24, 2001:db8::/32], or office: { file: networks/office.txt }'
const NO_DATABASE = 'put GeoLite2-ASN.mmdb into geodb/, or name a database under geo.asn'
const NO_AS_HERE = 'this goes by addresses alone: a database of autonomous systems is no proof of where somebody is'

/** Collections of networks, and which of them branches go by. Lives as long as one reading. */
export class CollectionReader {
  readonly #source: YamlFile
  readonly #faults: Fault[]
  readonly #options: NetworkOptions
  readonly #collections = new Map<string, Collection>()
  /** Keys of branches: names of collections, prefixes, autonomous systems. */
  readonly #used = new Set<string>()
  readonly #prefixes = new Map<string, Prefix>()

  constructor(source: YamlFile, faults: Fault[], written: unknown, options: NetworkOptions) {
    this.#source = source
    this.#faults = faults
    this.#options = options
    if (written === undefined || written === null) return
    if (!isRecord(written)) this.#fault(['networks'], 'networks: expected collections by name', HINT)
    else for (const [name, value] of Object.entries(written)) this.#collections.set(name, this.#collection(name, value))
  }

  /**
   * The key of a branch by network: a prefix, `as-64500`, or the name of a collection.
   * @returns it as it stands in arms; undefined when it has told a fault
   */
  key(written: string, path: Path, mayBeAs: boolean): string | undefined {
    if (!mayBeAs && isAsLike(written)) return this.#fault(path, `${written}: ${NO_AS_HERE}`, 'name its prefixes', true)
    const key = isPrefixLike(written) ? this.#prefixKey(written, path) : isAsLike(written) ? this.#asKey(written, path) : this.#name(written, path)
    if (key === undefined) return undefined
    this.#used.add(key)
    if (!mayBeAs && (this.#collections.get(key)?.asns.length ?? 0) > 0) return this.#fault(path, `${written}: ${NO_AS_HERE}`, 'name its prefixes', true)
    return key
  }

  /** What the table of networks is to hold. */
  plan(): NetworkPlan {
    const lists = new Map<number, string[]>()
    for (const key of this.#used) {
      const asn = asOfKey(key)
      if (asn !== undefined && !lists.has(asn)) lists.set(asn, [])
      for (const each of this.#collections.get(key)?.asns ?? []) {
        const names = lists.get(each)
        if (names === undefined) lists.set(each, [key])
        else if (!names.includes(key)) names.push(key)
      }
    }
    const collections = [...this.#collections].filter(([name, { prefixes }]) => this.#used.has(name) && prefixes.v4.count + prefixes.v6.count > 0)
    return {
      named: [...collections.map(([name, { prefixes }]) => ({ name, prefixes })), ...[...this.#prefixes].map(([name, prefix]) => ({ name, prefixes: prefixListOf([prefix]) }))],
      asns: [...lists].map(([asn, names]) => ({ asn, lists: names }))
    }
  }

  /** A warning for each collection that no branch goes by. */
  unused(): Fault[] {
    return [...this.#collections.keys()].flatMap((name): Fault[] =>
      this.#used.has(name) ? [] : [{ ...this.#source.position(['networks', name], true), severity: 'warning', reason: `no policy goes by the networks ${name}` }]
    )
  }

  #fault(path: Path, reason: string, hint?: string, key = false): undefined {
    this.#faults.push({ ...this.#source.position(path, key), severity: 'error', reason, ...(hint !== undefined && { hint }) })
  }

  #prefixKey(written: string, path: Path): string | undefined {
    const prefix = readPrefix(written)
    if ('reason' in prefix) return this.#fault(path, prefix.reason, prefix.hint, true)
    const key = prefixKey(prefix)
    this.#prefixes.set(key, prefix)
    return key
  }

  #asKey(written: string, path: Path): string | undefined {
    const key = asKey(written)
    if (key === undefined) return this.#fault(path, `${written}: expected the number of an autonomous system, such as as-64500`, undefined, true)
    return this.#options.hasAsDatabase === false ? this.#fault(path, `${written}: no database says which networks are whose`, NO_DATABASE, true) : key
  }

  #name(written: string, path: Path): string | undefined {
    if (this.#collections.has(written)) return written
    const near = suggestion(written, ['default', ...this.#collections.keys()])
    return this.#fault(path, `there are no networks ${written}`, near ?? `name them under networks: at the top of this file, ${HINT}`, true)
  }

  #collection(name: string, value: unknown): Collection {
    const path = ['networks', name]
    if (!NAME.test(name) || name === 'default' || isAsLike(name)) this.#fault(path, `${name}: the name of networks is made of letters, digits, - and _, and is not default or like as-64500`, undefined, true)
    const written = Array.isArray(value) ? { prefixes: value } : value
    const nothing = { prefixes: prefixListOf([]), asns: [] }
    if (!isRecord(written)) return this.#fault(path, `${name}: expected prefixes, or where they are`, HINT) ?? nothing
    for (const key of Object.keys(written)) if (!KEYS.some((known) => known === key)) this.#fault([...path, key], `unknown key ${key}`, suggestion(key, KEYS) ?? `the keys are ${KEYS.join(', ')}`, true)
    const inner = (key: string): Path => (Array.isArray(value) ? path : [...path, key])
    const before = this.#faults.length
    const lists = [
      ...('prefixes' in written ? [this.#inline(written['prefixes'], inner('prefixes'))] : []),
      ...('file' in written ? this.#file(written['file'], inner('file'), (file, text) => readPrefixFile(file, text)).map(({ list }) => list) : [])
    ]
    const asns = [
      ...('as' in written ? this.#numbers(written['as'], inner('as')) : []),
      ...('as-file' in written ? this.#file(written['as-file'], inner('as-file'), (file, text) => readAsFile(file, text)).flatMap((read) => [...read.asns]) : [])
    ]
    const prefixes = joinPrefixes([nothing.prefixes, ...lists])
    if (prefixes.v4.count + prefixes.v6.count + asns.length === 0 && this.#faults.length === before) this.#fault(path, `${name} holds no network`, HINT)
    if (asns.length > 0 && this.#options.hasAsDatabase === false) this.#fault(inner('as' in written ? 'as' : 'as-file'), `${name}: no database says which networks are whose`, NO_DATABASE, true)
    return { prefixes, asns }
  }

  #inline(value: unknown, path: Path): PrefixList {
    const prefixes: Prefix[] = []
    const list: readonly unknown[] = Array.isArray(value) ? value : [value]
    for (const [index, item] of list.entries()) {
      const prefix = readPrefix(String(item))
      if ('reason' in prefix) this.#fault(Array.isArray(value) ? [...path, index] : path, prefix.reason, prefix.hint)
      else prefixes.push(prefix)
    }
    return prefixListOf(prefixes)
  }

  #numbers(value: unknown, path: Path): number[] {
    const list: readonly unknown[] = Array.isArray(value) ? value : [value]
    return list.flatMap((item, index): number[] => {
      const asn = asOfKey(asKey(`as-${String(item).replace(/^as-?/i, '')}`) ?? '')
      if (asn === undefined) this.#fault(Array.isArray(value) ? [...path, index] : path, `${String(item)}: expected the number of an autonomous system, such as 64500`)
      return asn === undefined ? [] : [asn]
    })
  }

  /** What a file holds, or nothing when it cannot be read: its faults are told with their lines. */
  #file<Read extends { readonly faults: readonly Fault[] }>(value: unknown, path: Path, parse: (file: string, text: Uint8Array) => Read): Read[] {
    if (typeof value !== 'string' || value === '') return this.#fault(path, 'expected the path of a file, from the folder of this one') ?? []
    const { read } = this.#options
    try {
      if (read === undefined) throw new Error('files are not read here')
      const shown = join(dirname(this.#source.file), value)
      const found = parse(shown, read(shown))
      this.#faults.push(...found.faults)
      return [found]
    } catch (error) {
      const isGone = (error as NodeJS.ErrnoException).code === 'ENOENT'
      return this.#fault(path, isGone ? `there is no file ${value}` : `${value} cannot be read: ${messageOf(error)}`, isGone ? 'its path is from the folder of this file' : undefined) ?? []
    }
  }
}
