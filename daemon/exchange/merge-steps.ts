import { LOWER } from '../wire/index.ts'
import { serialOf, type PlainRecord, type ZoneChange } from '../zone/index.ts'

/** Makes one change of the steps of an incremental transfer, so that what comes and goes within it leaves no trace. */
export interface StepMerger {
  /** The SOA that a step begins with, the one before it. */
  beginStep(soa: PlainRecord): void
  remove(record: PlainRecord): void
  /** The SOA behind what a step deletes: the one after it. */
  endDeletions(soa: PlainRecord): void
  add(record: PlainRecord): void
  end(): { readonly change: ZoneChange; readonly steps: number }
}

export function makeStepMerger(origin: Uint8Array): StepMerger {
  const deleted = new Map<string, PlainRecord>()
  const added = new Map<string, PlainRecord>()
  let first: PlainRecord | undefined
  let last: PlainRecord | undefined
  let steps = 0
  return {
    beginStep: (soa) => {
      first ??= soa
      steps++
    },
    endDeletions: (soa) => {
      last = soa
    },
    remove: (record) => {
      const key = keyOf(record)
      if (!added.delete(key)) deleted.set(key, record)
    },
    add: (record) => {
      const key = keyOf(record)
      if (deleted.get(key)?.ttl === record.ttl) deleted.delete(key)
      else added.set(key, record)
    },
    end: () => {
      const change = { origin, from: serialOf(first!.rdata), to: serialOf(last!.rdata), deleted: [first!, ...deleted.values()], added: [last!, ...added.values()] }
      return { change, steps }
    }
  }
}

function keyOf({ owner, type, rdata }: PlainRecord): string {
  return `${type} ${Buffer.from(owner.map((octet) => LOWER[octet]!)).toString('latin1')} ${Buffer.from(rdata).toString('latin1')}`
}
