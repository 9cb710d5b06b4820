import type { Fault } from '../../core/trouble.ts'
import type { Layer } from '../update/index.ts'
import type { PlainRecord, Zone, ZoneChange, ZoneRecord } from '../zone/index.ts'

/** A zone as its file says it, before it is served. */
export interface FreshZone {
  /** Wire form, lower case. */
  readonly origin: Uint8Array
  /** With its final dot. */
  readonly name: string
  /** The zone file as it stands in messages. */
  readonly file: string
  /** The serial in the file. */
  readonly serial: number
  /** The serial served until now; absent when the zone was not served. */
  readonly served?: number
  /** Tells this text of the file, and of what it includes, from any other; the same over a restart. */
  readonly print: string
  /** All of it; its records know where they stand. Of a large file of which only what changed was read they are read when they are asked for. */
  readonly zone: Zone
  /** The SOA of the file. */
  readonly soa: ZoneRecord
  /** The records of the file of one owner (wire form, any case) and type; of all its types without one. */
  at(owner: Uint8Array, type?: number): readonly PlainRecord[]
  /** Whether the file holds other records than are served, the SOA apart. True when the zone is not served. */
  differs(): boolean
}

/** What lies over one text of a zone's file. */
export interface Laid {
  /** Tells the text from others. */
  readonly print: string
  /** The serial in it. */
  readonly fileSerial: number
  readonly layer: Layer
}

/**
 * What lies over the files of zones and decides their serials, in the loader thread: updates that were journaled, serials that
 * rise by themselves. Secondary zones have none.
 */
export interface ZoneOver {
  /**
   * A zone was read from its file, at the start or after an edit, or restored from the copy that was kept of it. Returns what to
   * change in it before it is served: `from` is the file's serial, `to` the one to serve, with the SOA of the file in `deleted`
   * and the one to serve in `added`; undefined to serve the file as it is. `faults` are told to the operator as
   * those of the file are; an error among them keeps what is served as it is.
   */
  freshly(zone: FreshZone): { readonly change?: ZoneChange; readonly faults?: readonly Fault[] }
  /** What was made of the file by `freshly` is what is served from now on. Returns a line worth logging, if any. */
  taken(origin: Uint8Array, print: string): string | undefined
  /** A dynamic update has passed every check and is about to be served. Durable when this returns; what it throws refuses the update. */
  keep(change: ZoneChange): void
  /** What lies over a zone's file now. @param name with its final dot */
  laidOver?(name: string): Laid | undefined
  /** The zone has no file any more, by the operator's will. */
  drop(origin: Uint8Array): void
}

/** Zones are what their files say. */
export const nothingOver: ZoneOver = { freshly: () => ({}), taken: () => undefined, keep: () => undefined, drop: () => undefined }
