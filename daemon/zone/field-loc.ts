import { refuse, tokenText } from './entry.ts'
import { expect, type Field, take, write32, write8 } from './field.ts'

const EQUATOR = 2 ** 31
/** The pole, in thousandths of a second of arc from the equator. */
const MOST_LATITUDE = 90 * 3_600_000
const SEA_LEVEL = 10_000_000

/**
 * A place on earth (RFC 1876): degrees, minutes and seconds north or south, the same east or west, altitude, and then size and precision
 * in metres. Read as text, since none of it is fast or common.
 */
export const loc: Field = {
  read: (entry, what) => {
    if (!expect(entry, what)) return false
    const first = entry.next
    const words: string[] = []
    for (; entry.next < entry.count; entry.next++) words.push(tokenText(entry, entry.next))
    const latitude = takeAngle(words, 'NS', 90)
    const longitude = latitude === undefined ? undefined : takeAngle(words, 'EW', 180)
    if (longitude === undefined) return refuse(entry, first, 'expected latitude and longitude', 'such as 37 27 36.0 N 126 26 24.0 E 7m')
    const metres = words.map(centimetres)
    const [altitude, size = 100, horizontal = 1_000_000, vertical = 1000] = metres
    const stray = metres.findIndex((value, at) => value === undefined || (at > 0 && (value < 0 || value > 9e9)))
    if (stray >= 0 || altitude === undefined || metres.length > 4 || altitude > 0xffff_ffff - SEA_LEVEL || altitude < -SEA_LEVEL) {
      return refuse(entry, entry.count - Math.max(1, metres.length - Math.max(0, stray)), 'expected altitude, size and precision in metres', 'such as 7m 10m 100m 10m')
    }
    write8(entry, 0)
    for (const value of [size, horizontal, vertical]) write8(entry, roundedPower(value))
    write32(entry, EQUATOR + latitude!)
    write32(entry, EQUATOR + longitude)
    write32(entry, SEA_LEVEL + altitude)
    return true
  },
  print: (data) => {
    if (take(data, 1) !== 0) return undefined
    const powers = [take(data, 1), take(data, 1), take(data, 1)]
    const [latitude, longitude, altitude] = [take(data, 4), take(data, 4), take(data, 4)]
    if (altitude === undefined || powers.some((power) => power! >>> 4 > 9 || (power! & 15) > 9 || (power! >>> 4 === 0 && power !== 0))) return undefined
    if (Math.abs(latitude! - EQUATOR) > MOST_LATITUDE || Math.abs(longitude! - EQUATOR) > 2 * MOST_LATITUDE) return undefined
    const sizes = powers.map((power) => `${metresText((power! >>> 4) * 10 ** (power! & 15))}m`)
    return `${angleText(latitude! - EQUATOR, 'NS')} ${angleText(longitude! - EQUATOR, 'EW')} ${metresText(altitude - SEA_LEVEL)}m ${sizes.join(' ')}`
  }
}

/** Thousandths of a second of arc from the words up to one of the two letters; the words are taken away. */
function takeAngle(words: string[], letters: string, most: number): number | undefined {
  const end = words.findIndex((word) => word.length === 1 && letters.includes(word.toUpperCase()))
  if (end < 1 || end > 3) return undefined
  const [degrees, minutes = '0', seconds = '0', letter] = [...words.slice(0, end), ...['0', '0'].slice(end - 1), words[end]!]
  words.splice(0, end + 1)
  if (!/^\d{1,3}$/.test(degrees!) || !/^\d{1,2}$/.test(minutes) || !/^\d{1,2}(\.\d{1,3})?$/.test(seconds)) return undefined
  if (Number(minutes) > 59 || Number(seconds) >= 60) return undefined
  const angle = (Number(degrees) * 3600 + Number(minutes) * 60) * 1000 + Math.round(Number(seconds) * 1000)
  if (angle > most * 3_600_000) return undefined
  return letter!.toUpperCase() === letters[0] ? angle : -angle
}

function centimetres(word: string): number | undefined {
  return /^-?\d{1,8}(\.\d{1,2})?m?$/i.test(word) ? Math.round(Number.parseFloat(word) * 100) : undefined
}

/** Centimetres as a digit and a power of ten, four bits each. */
function roundedPower(value: number): number {
  let power = 0
  let digit = value
  while (digit >= 10) {
    digit = Math.floor(digit / 10)
    power++
  }
  return digit === 0 ? 0 : digit * 16 + power
}

function angleText(angle: number, letters: string): string {
  const thousandths = Math.abs(angle)
  const degrees = Math.floor(thousandths / 3_600_000)
  const minutes = Math.floor(thousandths / 60_000) % 60
  const seconds = ((thousandths % 60_000) / 1000).toFixed(3)
  return `${degrees} ${minutes} ${seconds} ${angle < 0 ? letters[1] : letters[0]}`
}

function metresText(value: number): string {
  return (value / 100).toFixed(2)
}
