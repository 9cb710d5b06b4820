import { z } from 'zod'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import type { Vantage } from '../pops/index.ts'
import { makeStateFile, readStateFile } from './health-file.ts'

/** What was decided before a start counts when it was kept no longer ago than verdicts are believed. */
const BELIEVED_MS = 300_000

const schema = z.object({ savedAt: z.number(), decisions: z.array(z.object({ key: z.string(), name: z.string(), verdict: z.enum(['UP', 'DOWN', 'UNKNOWN']) })) })

/** Keeps what this and other PoPs decided last over a start of the daemon: with no quorum that holds. */
export function keepDecisions({ vantage, file, clock, log }: { readonly vantage: Pick<Vantage, 'decided' | 'restore'>; readonly file: string; readonly clock: Clock; readonly log: Logger }): { save(): Promise<void> } {
  const disk = makeStateFile(file, log)
  const known = readStateFile(file, schema, log)
  const age = known === undefined ? undefined : clock.now() - known.savedAt
  if (known !== undefined && age! >= 0 && age! <= BELIEVED_MS) vantage.restore(known.decisions)
  return { save: () => disk.write({ savedAt: clock.now(), decisions: vantage.decided() }) }
}
