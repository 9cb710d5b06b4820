const DURATION = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/
const SIZE = /^(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB)$/
const MILLISECONDS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const OCTETS: Record<string, number> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

/** `250ms`, `2s`, `1.5m`, `1h`, `1d` as milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text)
  return match === null ? undefined : Math.round(Number(match[1]) * MILLISECONDS[match[2]!]!)
}

/** `512B`, `64KiB`, `256MiB`, `2GiB` as octets; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text)
  return match === null ? undefined : Math.round(Number(match[1]) * OCTETS[match[2]!]!)
}

/** Octets as `parseSize` reads them, in the largest unit of which they are a whole number. */
export function formatSize(octets: number): string {
  const unit = ['GiB', 'MiB', 'KiB'].find((each) => octets > 0 && Number.isInteger(octets / OCTETS[each]!)) ?? 'B'
  return `${octets / OCTETS[unit]!}${unit}`
}

/** The shortest text of a duration that is exact to a tenth: `250 ms`, `2.5 s`, `3 min`, `2 h`. */
export function formatDuration(milliseconds: number): string {
  const tenth = (value: number): string => String(Math.round(value * 10) / 10)
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`
  if (milliseconds < 120_000) return `${tenth(milliseconds / 1000)} s`
  if (milliseconds < 7_200_000) return `${tenth(milliseconds / 60_000)} min`
  return `${tenth(milliseconds / 3_600_000)} h`
}
