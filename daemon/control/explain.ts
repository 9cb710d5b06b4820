import type { World } from '../world.ts'
import type { Address } from '../../core/address.ts'
import type { Explanation } from './api.ts'

export interface ExplainQuestion {
  readonly name: string
  /** A type's mnemonic, such as `A`. */
  readonly type: string
  readonly from: Address
}

/** Puts a query to the answerer as if it had come from `source` over UDP; undefined when it is answered with silence. */
export type Ask = (query: Uint8Array, source: Address) => Uint8Array | undefined

/** Runs the production path for one question and tells each step; a text says what is wrong with the question. */
export function explainName(_world: World, _ask: Ask, _question: ExplainQuestion): Explanation | string {
  return 'explain is not there yet'
}
