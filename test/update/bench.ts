import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { formatFault } from '../../core/trouble.ts'
import { openJournals, type Journals } from '../../daemon/control/journals.ts'
import type { Catalogue } from '../../daemon/control/loader-catalogue.ts'
import { openWhole } from '../serve/catalogue.ts'
import type { ChangeReply } from '../../daemon/control/loader-changes.ts'
import type { LoadResult } from '../../daemon/control/loader-state.ts'
import { changeOf, compileRules, judgeBatch, parseUpdate, viewOfImage, type RuleText, type UpdateMessage } from '../../daemon/update/index.ts'
import { nameToText, RCODE, TYPE } from '../../daemon/wire/index.ts'
import { openZoneImage, rdataToText, recordTypeToText, zoneRecords, type PlainRecord, type ZoneImage } from '../../daemon/zone/index.ts'
import { updateMessage, wire, type Sent } from './messages.ts'

export const SOA = '@ 300 SOA ns1 hostmaster 7 3600 600 604800 60\n@ 300 NS ns1\nns1 300 A 127.0.0.1\n'

/** A loader's catalogue with its journals, as after a start. */
export interface Running {
  readonly journals: Journals
  readonly catalogue: Catalogue
  load(force?: boolean): LoadResult
  /** Sends updates as one batch; returns the outcome of each, or what the loader said of all. */
  send(...messages: readonly (readonly Sent[])[]): string[]
  /** What is served of a zone, a line a record, sorted; with its serial first. */
  served(zone?: string): string[]
  faults(): string[]
}

export interface Bench {
  readonly root: string
  readonly zones: string
  write(name: string, text: string): string
  text(name: string): string
  start(auto?: readonly string[]): Running
}

const ANYTHING: readonly RuleText[] = [{ key: 'all', types: [TYPE.ANY] }]

export function makeBench(t: Test): Bench {
  const root = mkdtempSync(join(tmpdir(), 'nearcast-update-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const zones = join(root, 'zones')
  mkdirSync(zones)
  return {
    root,
    zones,
    write: (name, text) => {
      writeFileSync(join(zones, name), text)
      return join(zones, name)
    },
    text: (name) => readFileSync(join(zones, name), 'utf8'),
    start: (auto = []) => start(root, zones, auto)
  }
}

function start(root: string, zones: string, auto: readonly string[]): Running {
  const journals = openJournals({ folder: join(root, 'state', 'journal'), auto: new Set(auto) })
  const catalogue = openWhole({ folder: { path: zones, label: 'zones' }, targets: [], mostTargets: 10, stateFolder: join(root, 'state'), over: journals })
  let image: ZoneImage | undefined
  let last: LoadResult | undefined
  const use = (result: LoadResult): LoadResult => {
    if (result.zoneImage !== undefined) image = openZoneImage(result.zoneImage)
    catalogue.flush()
    return (last = result)
  }
  use(catalogue.load({}))
  return {
    journals,
    catalogue,
    load: (force = false) => use(catalogue.load({ force })),
    send: (...messages) => {
      const view = viewOfImage(image!, wire('example.test.'))!
      const requests = messages.map((updates) => ({ key: 'all', message: parseUpdate(updateMessage('example.test.', [], updates)) as UpdateMessage }))
      const { judgements, touched } = judgeBatch(view, compileRules(view.origin, ANYTHING), requests)
      const outcomes = judgements.map(({ rcode, reason }) => (rcode === RCODE.NOERROR ? 'NOERROR' : `${rcode} ${reason}`))
      if (touched.length === 0) return outcomes
      const { reply, result } = catalogue.change(changeOf(view.origin, touched), 'update')
      if (result !== undefined) use(result)
      return reply.outcome === 'done' ? outcomes : [`${reply.outcome} ${reasonOf(reply)}`]
    },
    served: (zone = 'example.test.') => linesOf(zoneRecords(image!, wire(zone)) ?? []),
    faults: () => last!.report.faults.map(formatFault)
  }
}

const reasonOf = (reply: ChangeReply): string => (reply.outcome === 'refused' ? reply.faults.map(formatFault).join() : reply.outcome === 'stale' ? String(reply.serial) : '')

/** Records as sorted lines, behind a first one with the serial of the SOA. */
export function linesOf(records: Iterable<PlainRecord>): string[] {
  let serial = ''
  const lines: string[] = []
  for (const { owner, type, ttl, rdata } of records) {
    const text = rdataToText(type, rdata)
    if (type === 6) serial = text.split(' ')[2]!
    else lines.push(`${nameToText(owner).toLowerCase()} ${ttl} ${recordTypeToText(type)} ${text}`)
  }
  return [serial, ...lines.sort()]
}
