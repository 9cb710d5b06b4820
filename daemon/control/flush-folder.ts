import { join } from 'node:path'
import type { Target } from '../routing/index.ts'
import type { FlushReply } from './api.ts'
import { unlockJournals } from './journal-lock.ts'
import { openJournals } from './journals.ts'
import { openCatalogue } from './loader-catalogue.ts'
import type { Folder } from './loader-files.ts'
import { errorLines } from './loader-state.ts'

export interface FlushFolderOptions {
  readonly folder: Folder
  readonly stateFolder: string
  /** What policies may name beside addresses. */
  readonly targets: readonly Target[]
  readonly checks: readonly string[]
  /** Zones whose serial rises by itself, without final dot. */
  readonly autoSerials: readonly string[]
  /** With its final dot; absent: all. */
  readonly zone?: string
  readonly isDry: boolean
}

/**
 * Writes updates back into the files of a folder that no server serves at this moment, as `flush` does in one that does.
 * `faults`: what stands in files that are not served as they are.
 * @throws Error with one line when a server works on the state folder
 */
export function flushFolder({ folder, stateFolder, targets, checks, autoSerials, zone, isDry }: FlushFolderOptions): { readonly reply: FlushReply; readonly origins: readonly string[]; readonly faults: readonly string[] } {
  const journals = join(stateFolder, 'journal')
  const over = openJournals({ folder: journals, auto: new Set(autoSerials) })
  try {
    const catalogue = openCatalogue({ folder, targets, checks, mostTargets: targets.length + 4096, stateFolder, over })
    const { report } = catalogue.load({})
    const { reply } = catalogue.writeBack(zone, isDry)
    catalogue.flush()
    return { reply, origins: report.zones.map(({ origin }) => origin), faults: errorLines(report) }
  } finally {
    unlockJournals(journals)
  }
}
