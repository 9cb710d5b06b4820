import type { Position } from '../../core/trouble.ts'
import type { YamlFile } from '../../core/yaml-file.ts'
import type { Policies } from './tree.ts'
import type { Target } from './types.ts'

/** One policy naming another, and where. */
export interface Reference {
  readonly from: number
  readonly to: number
  /** Looked up when a fault speaks of it: that costs more than reading it. */
  at(): Position
}

/** Policies as read, with what their faults need. */
export interface Draft {
  readonly policies: Policies
  readonly targets: readonly Target[]
  readonly references: readonly Reference[]
  readonly file: YamlFile
  /** Where the value of each node's verb stands. */
  readonly nodePaths: readonly (readonly PropertyKey[])[]
}
