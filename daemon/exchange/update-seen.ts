import { RCODE } from '../wire/index.ts'

/** Signatures of messages that have been served, and what came of them. */
export interface Seen {
  /** Serves a message unless it was served already: then what came of it is told again. @param now milliseconds */
  once(mac: Uint8Array, now: number, serve: () => Promise<number>): Promise<number>
}

/** A signature is good for five minutes on either side of its time (RFC 8945 §5.2.3), so that nothing older need be known. */
const KEPT_MS = 10 * 60_000
const MOST = 4096

export function makeSeen(): Seen {
  const served = new Map<string, { readonly until: number; readonly rcode: Promise<number> }>()
  return {
    once: (mac, now, serve) => {
      for (const [key, { until }] of served) {
        if (until > now && served.size < MOST) break
        served.delete(key)
      }
      const key = Buffer.from(mac).toString('base64')
      const known = served.get(key)
      if (known !== undefined && known.until > now) return known.rcode
      const rcode = serve()
      served.set(key, { until: now + KEPT_MS, rcode })
      // Our own trouble may be over when it is asked for again.
      void rcode.then((said) => said === RCODE.SERVFAIL && served.delete(key))
      return rcode
    }
  }
}
