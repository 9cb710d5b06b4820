import { makeScannedName, scanName, type ScannedName } from './wire/index.ts'

/** Zones that are ours and have no contents that may be served, by the hash of their names. */
export type Withheld = ReadonlyMap<number, readonly Uint8Array[]>

/** @param origins wire form, lower case */
export function openWithheld(origins: readonly Uint8Array[] = []): Withheld {
  const name = makeScannedName()
  const zones = new Map<number, Uint8Array[]>()
  for (const origin of origins) {
    scanName(origin, 0, origin.length, name)
    zones.set(name.hashes[0]!, [...(zones.get(name.hashes[0]!) ?? []), origin])
  }
  return zones
}

/** Whether a name is in one of the zones. */
export function isWithheld(zones: Withheld | undefined, name: ScannedName): boolean {
  if (zones === undefined || zones.size === 0) return false
  for (let label = 0; label <= name.labels; label++) {
    const start = name.starts[label]!
    for (const origin of zones.get(name.hashes[label]!) ?? []) {
      if (origin.length === name.length - start && origin.every((octet, at) => octet === name.lower[start + at])) return true
    }
  }
  return false
}
