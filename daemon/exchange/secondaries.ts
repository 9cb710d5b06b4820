import type { After, Clock } from '../../core/clock.ts'
import { formatFault, messageOf, type Fault } from '../../core/trouble.ts'
import type { SecondaryStatus } from '../control/api.ts'
import type { PackedRecords, ZoneChange } from '../zone/index.ts'
import { askSoa, transferFrom, type Primary, type TransferLimits } from './ask-primary.ts'
import { makeTurns } from './turns.ts'
import { expiryOf, heldOf, nextTick, startSecondary, stepSecondary, type SecondaryAction, type SecondaryEvent, type SecondaryState } from './secondary.ts'

// Keeps secondary zones in step with their primaries: gives the state machine of each its clock, its sockets and its loader.

export interface SecondaryZone {
  /** Wire form, lower case. */
  readonly origin: Uint8Array
  /** Text with its final dot. */
  readonly name: string
  readonly primaries: readonly (Primary & { readonly name: string })[]
}

/** What the loader made of a transfer. */
export type Taken =
  | { readonly outcome: 'done' }
  | { readonly outcome: 'stale' }
  | { readonly outcome: 'refused'; readonly faults: readonly Fault[] }

/** Puts in service what was transferred; resolves when it is. */
export interface Keeper {
  change(change: ZoneChange): Promise<Taken>
  replace(origin: Uint8Array, records: PackedRecords): Promise<Taken>
  expire(origin: Uint8Array): Promise<Taken>
}

export interface SecondariesOptions {
  readonly zones: readonly SecondaryZone[]
  readonly clock: Clock
  readonly after: After
  random(): number
  readonly limits: TransferLimits
  readonly keeper: Keeper
  /** RDATA of the SOA that is served of a zone. */
  soaOf(origin: Uint8Array): Uint8Array | undefined
  /** When each zone was refreshed last, as it was kept over the restart; and what keeps it. */
  readonly refreshed: ReadonlyMap<string, number>
  keepRefreshed(zone: string, at: number): void
  onStatus(status: SecondaryStatus): void
  log(level: 'info' | 'warn' | 'error', text: string): void
}

export interface Secondaries {
  /** A primary has notified; by its place in the zone's list. False: there is no such zone. */
  notified(zone: string, primary: number, serial: number | undefined): boolean
  /** Asks the primaries now. `isWhole`: transfers the zone whole, whatever its serial. False: there is no such zone. */
  refresh(zone: string, isWhole: boolean): boolean
  close(): void
}

/** Questions and transfers under way at once. */
const MOST_QUESTIONS = 32
const MOST_TRANSFERS = 4

interface Entry {
  readonly zone: SecondaryZone
  state: SecondaryState
  cancel(): void
  /** The last trouble with each primary, told once. */
  readonly troubles: Map<number, string>
}

/** Starts to look after the zones: each is asked after at once. */
export function startSecondaries(options: SecondariesOptions): Secondaries {
  const { zones, clock, soaOf, refreshed } = options
  const questions = makeTurns(MOST_QUESTIONS)
  const transfers = makeTurns(MOST_TRANSFERS)
  const entries = new Map<string, Entry>()
  let isClosed = false

  const happen = (entry: Entry, event: SecondaryEvent): void => {
    if (isClosed) return
    const { zone, state: before } = entry
    const now = clock.now()
    const { state, actions } = stepSecondary(before, event, now, { primaries: zone.primaries.length, random: options.random })
    entry.state = state
    if (state.refreshedAt !== undefined && state.refreshedAt !== before.refreshedAt) {
      entry.troubles.clear()
      options.keepRefreshed(zone.name, state.refreshedAt)
    }
    for (const action of actions) act(entry, action)
    entry.cancel()
    const next = nextTick(entry.state)
    entry.cancel = next === Infinity ? () => undefined : options.after(Math.max(1, next - now), () => happen(entry, { kind: 'tick' }))
    options.onStatus(statusOf(entry))
  }

  const act = (entry: Entry, action: SecondaryAction): void => {
    const { zone } = entry
    switch (action.kind) {
      case 'ask':
        questions.run(async () => happen(entry, await ask(options, zone, action.primary).catch(ownTrouble)))
        return
      case 'transfer':
        transfers.run(async () => happen(entry, await transfer(options, zone, action.primary, action.isWhole).catch(ownTrouble)))
        return
      case 'expire':
        options.log('error', `${zone.name} has expired: no primary has been heard of for ${entry.state.held!.expire} s; it is answered SERVFAIL until one is`)
        void options.keeper.expire(zone.origin)
        return
      case 'trouble':
        if (entry.troubles.get(action.primary) === action.reason) return
        entry.troubles.set(action.primary, action.reason)
        options.log('warn', `${zone.name} from ${zone.primaries[action.primary]!.name}: ${action.reason}`)
    }
  }

  const ownTrouble = (error: unknown): SecondaryEvent => {
    options.log('error', `asking a primary failed: ${error instanceof Error ? error.stack : messageOf(error)}`)
    return { kind: 'failed', reason: messageOf(error) }
  }

  for (const zone of zones) {
    const soa = soaOf(zone.origin)
    const state = startSecondary(clock.now(), soa === undefined ? undefined : heldOf(soa), refreshed.get(zone.name))
    entries.set(zone.name, { zone, state, cancel: () => undefined, troubles: new Map() })
  }
  for (const entry of entries.values()) happen(entry, { kind: 'tick' })
  const tell = (name: string, event: SecondaryEvent): boolean => {
    const entry = entries.get(name)
    if (entry !== undefined) happen(entry, event)
    return entry !== undefined
  }
  return {
    notified: (zone, primary, serial) => tell(zone, { kind: 'notified', primary, ...(serial !== undefined && { serial }) }),
    refresh: (zone, isWhole) => tell(zone, { kind: 'wanted', isWhole }),
    close: () => {
      isClosed = true
      for (const { cancel } of entries.values()) cancel()
    }
  }
}

async function ask(options: SecondariesOptions, zone: SecondaryZone, primary: number): Promise<SecondaryEvent> {
  const told = await askSoa(zone.primaries[primary]!, zone.origin, options)
  return told.kind === 'soa' ? { kind: 'told', soa: heldOf(told.rdata) } : { kind: 'failed', reason: told.reason }
}

async function transfer(options: SecondariesOptions, zone: SecondaryZone, number: number, isWhole: boolean): Promise<SecondaryEvent> {
  const { limits, keeper, soaOf } = options
  const primary = zone.primaries[number]!
  const soa = isWhole ? undefined : soaOf(zone.origin)
  const result = await transferFrom(primary, zone.origin, soa, limits, options)
  switch (result.kind) {
    case 'none':
    case 'fault':
      return { kind: 'failed', reason: result.reason }
    case 'same':
      return { kind: 'same' }
    case 'change': {
      const { change, steps } = result
      const taken = await keeper.change(change)
      if (taken.outcome === 'done') {
        options.log('info', `${zone.name}: serial ${change.from} to ${change.to} from ${primary.name}, ${change.deleted.length} records out and ${change.added.length} in, in ${steps} ${steps === 1 ? 'step' : 'steps'}`)
        return { kind: 'taken', soa: heldOf(change.added[0]!.rdata) }
      }
      // What does not fit what is held is mended by the whole.
      options.log('warn', `${zone.name} from ${primary.name}: the change from serial ${change.from} to ${change.to} does not fit${taken.outcome === 'refused' ? `: ${faultsText(taken.faults)}` : ''}; the whole zone is transferred`)
      return transfer(options, zone, number, true)
    }
    case 'whole': {
      const { records, serial, soa } = result
      const taken = await keeper.replace(zone.origin, records)
      if (taken.outcome !== 'done') return { kind: 'failed', reason: taken.outcome === 'refused' ? `what it transfers is refused: ${faultsText(taken.faults)}` : 'what it transfers could not be taken' }
      options.log('info', `${zone.name}: serial ${serial} from ${primary.name}, whole, ${records.length} records`)
      return { kind: 'taken', soa: heldOf(soa.rdata) }
    }
  }
}

function faultsText(faults: readonly Fault[]): string {
  const errors = faults.filter(({ severity }) => severity === 'error')
  const first = errors[0] === undefined ? 'it is broken' : formatFault(errors[0])
  return errors.length > 1 ? `${first}, and ${errors.length - 1} more` : first
}

function statusOf({ zone, state, troubles }: Entry): SecondaryStatus {
  const { held, refreshedAt, isExpired, phase, primary } = state
  const trouble = [...troubles.values()].at(-1)
  const expiresAt = expiryOf(state)
  return {
    zone: zone.name,
    state: held === undefined ? 'awaited' : isExpired ? 'expired' : 'current',
    primary: zone.primaries[primary]!.name,
    ...(held !== undefined && { serial: held.serial }),
    ...(refreshedAt !== undefined && { refreshedAt }),
    ...(phase === 'idle' && { nextAt: state.dueAt }),
    ...(expiresAt !== Infinity && { expiresAt }),
    ...(trouble !== undefined && { trouble })
  }
}
