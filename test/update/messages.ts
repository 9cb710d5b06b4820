import { CLASS, nameFromText, typeFromText } from '../../daemon/wire/index.ts'
import { readZone, rdataFromText, type Zone } from '../../daemon/zone/index.ts'
import { keyOf, type RRset, type ZoneView } from '../../daemon/update/index.ts'

export const wire = (name: string): Uint8Array => nameFromText(name) as Uint8Array

/** A record of an UPDATE message; without data its RDATA is empty. */
export interface Sent {
  readonly name: string
  readonly type: string
  readonly class?: keyof typeof CLASS
  readonly ttl?: number
  readonly data?: string
}

/** An UPDATE message as nsupdate lays it out, uncompressed. */
export function updateMessage(zone: string, prerequisites: readonly Sent[], updates: readonly Sent[], zoneType = 'SOA', zoneClass = 1): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(0x12, 0x34, 0x28, 0, 0, 1, 0, prerequisites.length, updates.length >>> 8, updates.length, 0, 0), wire(zone), words(typeFromText(zoneType)!, zoneClass)]
  for (const { name, type, class: kind = 'IN', ttl = 0, data } of [...prerequisites, ...updates]) {
    const number = typeFromText(type)!
    const rdata = data === undefined ? new Uint8Array(0) : rdataFromText(number, data)
    if (typeof rdata === 'string') throw new Error(`${type} ${data}: ${rdata}`)
    parts.push(wire(name), words(number, CLASS[kind], ttl >>> 16, ttl & 0xffff, rdata.length), rdata)
  }
  return new Uint8Array(Buffer.concat(parts))
}

const words = (...values: readonly number[]): Uint8Array => Uint8Array.from(values.flatMap((value) => [value >>> 8, value & 0xff]))

export function zoneFrom(text: string, origin = 'example.test.'): Zone {
  const { zone, faults } = readZone({ file: 'example.test.zone', origin, read: () => text })
  if (zone === undefined) throw new Error(faults.map(({ line, reason }) => `${line}: ${reason}`).join('\n'))
  return zone
}

/** A zone as updates see it, held in a map. */
export function viewOf({ origin, records }: Pick<Zone, 'origin' | 'records'>): ZoneView {
  const names = new Map<string, RRset[]>()
  for (const { owner, type, ttl, rdata } of records) {
    const key = keyOf(owner)
    const sets = names.get(key) ?? []
    names.set(key, sets)
    const at = sets.findIndex((set) => set.type === type)
    if (at < 0) sets.push({ owner, type, ttl, data: [rdata] })
    else sets[at] = { ...sets[at]!, data: [...sets[at]!.data, rdata] }
  }
  return { origin, setsOf: (owner) => names.get(keyOf(owner)) ?? [] }
}
