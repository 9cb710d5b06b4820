/** Where a network is, as far as its database tells. Absent: not known. */
export interface Place {
  readonly country?: string
  /** AF AN AS EU NA OC SA. */
  readonly continent?: string
  readonly subdivision?: string
  readonly city?: string
  /** Degrees. Of the country's middle where the database knows no better. */
  readonly latitude?: number
  readonly longitude?: number
  /** What said so, for people: `geo-whois-asn-country 2026-06-17`, `geo.local of nearcast.yaml`. */
  readonly source: string
}

/** Place 0: nothing is known of the address. */
export const NOWHERE = 0

/**
 * Which place an address is in: flat tables over shared memory, read by every thread.
 * `find…` return `place << 8 | length`, where all addresses that share the first `length` bits are in that place.
 */
export interface Places {
  find4(address: number): number
  find6(bytes: Uint8Array, at: number): number
  readonly list: readonly Place[]
}

/** What `openPlaces` needs to read the same tables in another thread: shared memory and plain values only. */
export interface PlacesImage {
  readonly list: readonly Place[]
  readonly v4: readonly SharedArrayBuffer[]
  readonly v6: readonly SharedArrayBuffer[]
  /** For the start-up text and explain: which database, its date, its licence and attribution. */
  readonly about: string
}
