import { parseDuration } from './quantity.ts'

const ISO = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?))?(Z|[+-]\d{2}:\d{2})?$/i
const EXPECTED = 'expected a time such as 2026-11-21T15:04Z, or how long ago, such as 10m'

/**
 * A time that is past: ISO 8601, UTC where it names no zone, or how long before `now`: `10m`, `-10m`.
 * @returns wall milliseconds, or what is wrong in one line
 */
export function parseMoment(text: string, now: number): number | string {
  const ago = parseDuration(text.replace(/^-/, ''))
  if (ago !== undefined) return now - ago
  const [, day, time, zone = 'Z'] = ISO.exec(text) ?? []
  if (day === undefined) return `${text}: ${EXPECTED}`
  const midnight = Date.parse(`${day}T00:00Z`)
  // A 30th of February would else be one of March.
  const isDay = !Number.isNaN(midnight) && momentText(midnight).startsWith(day)
  const moment = Date.parse(`${day}T${time ?? '00:00'}${zone.toUpperCase()}`)
  if (!isDay || Number.isNaN(moment)) return `${text}: there is no such time (${EXPECTED})`
  return moment > now ? `${text}: that time has not come yet` : moment
}

/** `2026-11-21T15:04:05Z`, to the second. */
export const momentText = (wall: number): string => `${new Date(wall).toISOString().slice(0, 19)}Z`
