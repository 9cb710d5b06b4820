import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Requests in order: the number of what is asked for, from 1 in order of its first request; and the octets of each number. */
export interface Trace {
  readonly name: string
  readonly about: string
  readonly requests: Uint32Array
  readonly objects: number
  /** By number; absent: all are alike. */
  readonly sizes?: Uint32Array
}

interface TraceFile {
  readonly file: string
  readonly name: string
  readonly about: string
  read(octets: Buffer): Iterable<readonly [key: string | number, size?: number]>
}

/** The public traces that are known, as the resources of the Caffeine simulator have them. */
const FILES: readonly TraceFile[] = [
  { file: 'cache2k-web07.trace.xz', name: 'web07', about: 'pages of a web site', read: integers },
  { file: 'cache2k-orm-busy.trace.xz', name: 'orm-busy', about: 'a database mapper under load', read: integers },
  { file: 'lirs-sprite.trace.gz', name: 'sprite', about: 'a file system', read: (octets) => lines(octets, (line) => [line]) },
  { file: 'adapt_size-request.trace.xz', name: 'cdn', about: 'a CDN, with sizes', read: (octets) => lines(octets, (line) => sized(line.split(' '))) }
]

function* integers(octets: Buffer): Iterable<readonly [number]> {
  for (let at = 0; at + 4 <= octets.length; at += 4) yield [octets.readInt32BE(at)]
}

function* lines<T>(octets: Buffer, read: (line: string) => T): Iterable<T> {
  for (const line of octets.toString('latin1').split('\n')) if (line !== '' && !line.startsWith('*')) yield read(line.trim())
}

const sized = ([, key, size]: readonly string[]): readonly [string, number] => [key!, Number(size)]

const UNPACKERS: Readonly<Record<string, string>> = { xz: 'xz', gz: 'gzip' }
const LARGEST = 2 ** 30

/** The traces that are in a folder; the others are named. */
export function readTraces(folder: string, missing: (what: string) => void): Trace[] {
  return FILES.flatMap(({ file, name, about, read }) => {
    const path = join(folder, file)
    if (!existsSync(path)) {
      missing(`${name}: there is no ${path}`)
      return []
    }
    const octets = execFileSync(UNPACKERS[file.split('.').at(-1)!]!, ['-dc', path], { maxBuffer: LARGEST })
    return [number(name, about, read(octets))]
  })
}

/** Gives what is asked for numbers. */
export function number(name: string, about: string, asked: Iterable<readonly [key: string | number, size?: number]>): Trace {
  const numbers = new Map<string | number, number>()
  const requests: number[] = []
  const sizes: number[] = [0]
  for (const [key, size] of asked) {
    let known = numbers.get(key)
    if (known === undefined) {
      numbers.set(key, (known = numbers.size + 1))
      if (size !== undefined) sizes.push(Math.max(1, size))
    }
    requests.push(known)
  }
  return { name, about, requests: Uint32Array.from(requests), objects: numbers.size, ...(sizes.length > 1 && { sizes: Uint32Array.from(sizes) }) }
}
