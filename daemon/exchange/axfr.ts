import { TYPE } from '../wire/index.ts'
import type { World } from '../world.ts'
import { zoneRecords, type PlainRecord, type ZoneChange } from '../zone/index.ts'
import { makeMessageWriter, type MessageWriter } from './messages.ts'
import { plainRecords } from './plain-records.ts'
import type { Request } from './request.ts'

/** A whole zone (RFC 5936 §2.2): its SOA, everything else, and its SOA again. What it was at the start is what is sent. */
export function* sendZone(request: Request, world: World, place: number): Generator<Uint8Array, void, undefined> {
  const writer = makeMessageWriter(request)
  let soa: PlainRecord | undefined
  for (const record of plainRecords(world, request.name, place)) {
    soa ??= record
    const full = put(writer, record)
    if (full !== undefined) yield full
  }
  yield* addAll(writer, [soa!])
  yield writer.end()
}

/** The SOA alone: nothing is newer than what the client has, or what is does not fit and is to be had over TCP (RFC 1995 §2, §4). */
export function soaAlone(request: Request, { zones }: World): Uint8Array {
  const writer = makeMessageWriter(request)
  for (const record of zoneRecords(zones, request.name) ?? []) {
    if (record.type === TYPE.SOA) put(writer, record)
    break
  }
  return writer.end()
}

/** What has changed, step by step between the SOA twice (RFC 1995 §4). */
export function* sendChanges(request: Request, steps: readonly ZoneChange[]): Generator<Uint8Array, void, undefined> {
  const writer = makeMessageWriter(request)
  const newest = steps.at(-1)!.added[0]!
  yield* addAll(writer, [newest])
  for (const { deleted, added } of steps) {
    yield* addAll(writer, deleted)
    yield* addAll(writer, added)
  }
  yield* addAll(writer, [newest])
  yield writer.end()
}

function* addAll(writer: MessageWriter, records: readonly PlainRecord[]): Generator<Uint8Array, void, undefined> {
  for (const record of records) {
    const full = put(writer, record)
    if (full !== undefined) yield full
  }
}

function put(writer: MessageWriter, { owner, type, ttl, rdata }: PlainRecord): Uint8Array | undefined {
  return writer.add(owner, type, ttl, rdata)
}
