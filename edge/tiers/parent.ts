import type { FieldList } from '../message/index.ts'
import type { Server } from '../http/index.ts'
import type { Standing } from './standing.ts'

/** A place to fetch from: another tier of the fleet, or an origin. */
export interface Parent {
  readonly name: string
  /** `neighbour`: a tier that gives what it holds, and fetches nothing for us. */
  readonly kind: 'tier' | 'neighbour' | 'origin'
  readonly server: Server
  /** Prepended to the path. */
  readonly pathPrefix: string
  /** Host that it is told; absent: the viewer's. */
  readonly host: string | undefined
  /** Said to it in place of what the request says under these names. */
  readonly fields: FieldList
  readonly connectMs: number
  /** How long it may take to begin its answer, in milliseconds: each tier more than those above it, so that the one nearest to a silent origin gives up first. */
  readonly responseMs: number
  /** How often it may be asked for one request, where it cannot be reached. */
  readonly attempts: number
  readonly standing: Standing
}

/** Origins that stand for one. */
export interface OriginGroup {
  readonly members: readonly Parent[]
  /** The numbers of the members in the order in which they should be asked. */
  order(key: string, viewer: () => string, now: number): readonly number[]
  readonly failsOver: ReadonlySet<number>
  /** For how long a request is worth another try, in milliseconds. */
  readonly patienceMs: number
}
