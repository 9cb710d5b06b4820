/** Where a network is, as far as its database tells. Absent: not known. */
export interface Place {
  /** ISO 3166-1 alpha-2, or XK. */
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
  /** @param address the four octets as an unsigned number */
  find4(address: number): number
  /** Reads 16 octets from `at`. IPv4-mapped and 6to4 addresses are where their IPv4 address is, with the longer length. */
  find6(bytes: Uint8Array, at: number): number
  /** Reads what `find4` reads for addresses that begin with these 16 bits. Absent where all of it is at hand anyway. */
  touch4?(top: number): number
  /** How many places there are; their numbers go from 0 (NOWHERE) to `size - 1`. */
  readonly size: number
  /** Where the clients of known resolvers are, NOWHERE for the other addresses; absent when none is known. */
  readonly resolvers?: Pick<Places, 'find4' | 'find6'> | undefined
  /** Decoded from the tables when asked for: not for the hot path. */
  place(number: number): Place
}

/** What `openPlaces` needs to read the same tables in another thread. */
export interface PlacesImage {
  /** Everything, places included; layout in tables.ts. */
  readonly tables: SharedArrayBuffer
  /** For the start-up text and explain: which database, its date, its licence and attribution. */
  readonly about: string
}
