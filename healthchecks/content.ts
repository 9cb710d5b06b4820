import { compilePattern, type Pattern } from '../core/pattern.ts'
import { LOOKED_AT } from './probe.ts'

/** What must stand in the first 5,120 octets of an answer. Plain data. */
export interface Content {
  readonly text?: string
  readonly pattern?: string
}

const patterns = new WeakMap<Content, Pattern>()

/** Whether it asks for anything at all. */
export function wantsContent({ text, pattern }: Content): boolean {
  return text !== undefined || pattern !== undefined
}

/** What is missing in an answer; undefined when nothing is. */
export function missingIn(octets: Uint8Array, content: Content): string | undefined {
  const { text, pattern } = content
  const beginning = Buffer.from(octets.buffer, octets.byteOffset, Math.min(octets.length, LOOKED_AT)).toString('utf8')
  if (text !== undefined && !beginning.includes(text)) return `its answer has no ${JSON.stringify(text)}`
  if (pattern === undefined) return undefined
  let compiled = patterns.get(content)
  if (compiled === undefined) patterns.set(content, (compiled = compilePattern(pattern)))
  return compiled.matches(beginning) ? undefined : `its answer does not match ${pattern}`
}

/** Keeps the beginning of what comes in pieces. */
export class Beginning {
  readonly #pieces: Uint8Array[] = []
  #size = 0
  readonly #most: number

  constructor(most = LOOKED_AT) {
    this.#most = most
  }

  /** Octets seen, those that were not kept too. */
  get size(): number {
    return this.#size
  }

  add(piece: Uint8Array): void {
    if (this.#size < this.#most) this.#pieces.push(piece.subarray(0, this.#most - this.#size))
    this.#size += piece.length
  }

  octets(): Uint8Array {
    return Buffer.concat(this.#pieces)
  }
}
