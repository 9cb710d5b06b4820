const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const IMF_FIXDATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/
const RFC_850 = /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/
const ASCTIME = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/

/** A moment (milliseconds since the epoch) as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7). */
export const formatHttpDate = (moment: number): string => new Date(moment).toUTCString()

/**
 * Reads any of the three date forms of RFC 9110 §5.6.7, as milliseconds since the epoch; undefined for anything else.
 * @param now tells the century of the two-digit years of the RFC 850 form: never more than 50 years ahead
 */
export function parseHttpDate(text: string, now: number): number | undefined {
  const fixed = IMF_FIXDATE.exec(text)
  if (fixed !== null) return moment(fixed[3]!, fixed[2]!, fixed[1]!, fixed[4]!, fixed[5]!, fixed[6]!)
  const asctime = ASCTIME.exec(text)
  if (asctime !== null) return moment(asctime[6]!, asctime[1]!, asctime[2]!, asctime[3]!, asctime[4]!, asctime[5]!)
  const old = RFC_850.exec(text)
  if (old === null) return undefined
  const thisYear = new Date(now).getUTCFullYear()
  const year = thisYear - (thisYear % 100) + Number(old[3]!)
  return moment(String(year > thisYear + 50 ? year - 100 : year), old[2]!, old[1]!, old[4]!, old[5]!, old[6]!)
}

function moment(year: string, month: string, day: string, hour: string, minute: string, second: string): number | undefined {
  const at = MONTHS.indexOf(month)
  if (at < 0 || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined
  const value = Date.UTC(Number(year), at, Number(day), Number(hour), Number(minute), Number(second))
  return new Date(value).getUTCMonth() === at || Number(second) === 60 ? value : undefined
}
