/** A report from a browser: the round trips it has measured, by edge. */
export type Report = ReadonlyMap<string, number>

/** Octets of the longest report that is read. */
export const LONGEST_REPORT = 4096
const MOST_ENTRIES = 64
const ENTRY = /^([a-z0-9-]{1,32})=(\d{1,4}(?:\.\d{1,3})?)$/
const LONGEST_MS = 4000
const LEAST_MS = 0.1

/** Reads `icn=12.3&fra=240`; a text says what is wrong with it. */
export function readReport(text: string, isEdge: (name: string) => boolean): Report | string {
  const entries = text.split('&', MOST_ENTRIES + 1)
  if (entries.length > MOST_ENTRIES) return `more than ${MOST_ENTRIES} edges`
  const report = new Map<string, number>()
  for (const entry of entries) {
    const [, name, digits] = ENTRY.exec(entry) ?? []
    if (name === undefined) return 'expected EDGE=MILLISECONDS, joined by &'
    const ms = Number(digits)
    if (!isEdge(name)) return 'it names an edge that is not there'
    if (report.has(name)) return 'it names an edge twice'
    if (ms < LEAST_MS || ms > LONGEST_MS) return `a round trip is ${LEAST_MS} to ${LONGEST_MS} milliseconds`
    report.set(name, ms)
  }
  return report
}

/** Lets each address through once in a while; remembers the latest `most` of them. */
export function makeTurnstile(everyMs: number, most: number): (address: string, now: number) => boolean {
  const last = new Map<string, number>()
  return (address, now) => {
    const before = last.get(address)
    if (before !== undefined && now - before < everyMs) return false
    last.delete(address)
    last.set(address, now)
    if (last.size > most) last.delete(last.keys().next().value!)
    return true
  }
}
