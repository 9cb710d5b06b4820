import { suggestion } from '../../core/suggest.ts'
import { CONTINENTS, COUNTRIES, countryName } from '../../geodb/index.ts'
import { armsWithin, isPrefixKey, isPrefixLike } from './networks.ts'
import { hasDefault, isRecord, type Reading } from './reading.ts'
import type { Arm, Node, View } from './tree.ts'
import type { Verb } from './verb.ts'

/**
 * By where the client is: the branches of prefixes it lies in, the longest first, then its city's branch, then that of its subdivision, its country, its continent, then `default`; each falls
 * to the next broader one when all of it is down. Keys: `203.0.113.0/24` is a prefix, `US/Chicago` is a city of a country by the database's English name,
 * `US-IL` a subdivision (ISO 3166-2), the rest are codes of countries (ISO 3166-1) and continents (AF AN AS EU NA OC SA). Four
 * codes are both (Afghanistan, American Samoa, Namibia, Saudi Arabia): alone they mean the continent, with a warning;
 * `country-SA` and `continent-SA` say which.
 */
export const geolocation: Verb = {
  does: 'by prefix, city, subdivision, country, then continent, then `default`',
  usesPlace: true,
  reaches: 'default',
  usesNetwork: (node) => node.arms.some(({ key }) => isPrefixKey(key)),
  together: false,
  options: [],
  parse(value, _options, reading) {
    if (!isRecord(value) || Object.keys(value).length === 0) {
      reading.fault([], 'geolocation holds no branch', 'give it countries, continents and a default: { KR: icn, EU: fra, default: nrt }')
      return undefined
    }
    const arms: Arm[] = []
    const places = new Set<string>()
    for (const [written, item] of Object.entries(value)) {
      const key = keyOf(written, reading)
      const to = reading.branch(item, [written])
      if (key === undefined || to === undefined) continue
      if (places.has(key)) reading.fault([written], `${shown(key)} stands in this geolocation twice`, undefined, 'key')
      places.add(key)
      arms.push({ key, to, at: written })
    }
    if (!hasDefault(value)) reading.fault([], 'geolocation has no default', 'clients of no branch would get no answer: add default: BRANCH')
    return arms.length === 0 ? undefined : { arms }
  },
  order: (node, number, view) => ({ kind: 'first-of', node: number, of: armsFor(node, view).map((arm) => view.order(arm.to)) }),
  say(node, view) {
    const { country, continent, city, subdivision } = view.place
    const [first, ...rest] = armsFor(node, view).map((arm) => shown(arm.key))
    const within = `${city === undefined ? '' : `${city}, `}${subdivision === undefined ? '' : `${subdivision}, `}`
    const where = country !== undefined ? `${within}${countryName(country)} (${country})` : continent !== undefined ? CONTINENTS[continent]! : 'a place that is not known'
    const network = armsWithin(node.arms, view.network)[0]?.key
    return `${network === undefined ? where : `a client in ${network}`} goes by ${first}${rest.length === 0 ? '' : `; if all of it is down, by ${rest.join(', then ')}`}`
  }
}

/** An arm's key as short as it can be told: the kind of place only where a code is of both kinds. */
function shown(key: string): string {
  const [, kind, code = key] = /^(\w+)-(.+)$/s.exec(key) ?? []
  if (kind === 'city' || kind === 'subdivision') return code
  return Object.hasOwn(COUNTRIES, code) && Object.hasOwn(CONTINENTS, code) ? key : code
}

/** The arms that apply to a place, narrowest first. */
function armsFor(node: Node, view: View): readonly Arm[] {
  const { country, continent, subdivision, city } = view.place
  const wanted = [`city-${country}/${city?.toLowerCase()}`, `subdivision-${country}-${subdivision}`, `country-${country}`, `continent-${continent}`, 'default']
  return [...armsWithin(node.arms, view.network), ...wanted.flatMap((key) => node.arms.find((arm) => arm.key === key) ?? [])]
}

function keyOf(written: string, reading: Reading): string | undefined {
  if (written === 'default') return 'default'
  if (isPrefixLike(written)) return reading.network(written, written, false)
  const narrow = narrowKeyOf(written, reading)
  if (narrow !== 'broad') return narrow
  const [, kind, code] = /^(?:(country|continent)-)?(.+)$/s.exec(written)!
  const isCountry = Object.hasOwn(COUNTRIES, code!)
  const isContinent = Object.hasOwn(CONTINENTS, code!)
  if (isCountry && isContinent && kind === undefined) {
    reading.warn([written], `${code} is taken for the continent ${CONTINENTS[code!]}, not for ${countryName(code!)}`, `write continent-${code} or country-${code}`, 'key')
  }
  if (isContinent && kind !== 'country') return `continent-${code}`
  if (isCountry && kind !== 'continent') return `country-${code}`
  const what = kind ?? 'country or continent'
  reading.fault([written], `there is no ${what} ${code}`, isCountry ? `${code} is a country: country-${code}` : isContinent ? `${code} is a continent: continent-${code}` : hintFor(code!), 'key')
  return undefined
}

/** The key of a city or a subdivision; `broad` for anything else, undefined for one with a fault. */
function narrowKeyOf(written: string, reading: Reading): string | undefined {
  const [, country, mark, inside] = /^([A-Za-z]{2})([-/])(.+)$/s.exec(written) ?? []
  if (country === undefined) return 'broad'
  if (!Object.hasOwn(COUNTRIES, country)) {
    reading.fault([written], `there is no country ${country}`, hintFor(country), 'key')
    return undefined
  }
  if (mark === '/') return `city-${country}/${inside!.toLowerCase()}`
  if (/^[A-Z0-9]{1,3}$/.test(inside!)) return `subdivision-${country}-${inside}`
  reading.fault([written], `${inside} is no code of a subdivision`, /^[a-z0-9]{1,3}$/i.test(inside!) ? `did you mean ${country}-${inside!.toUpperCase()}?` : `codes are those of ISO 3166-2, such as US-CA; a city is written ${country}/${inside}`, 'key')
  return undefined
}

/** What people write for a code, and full names. Two letters that are no code are near to too many others to guess. */
function hintFor(written: string): string | undefined {
  const lower = written.toLowerCase()
  if (lower === 'uk') return 'the United Kingdom is GB'
  const continent = Object.entries(CONTINENTS).find(([, name]) => name.toLowerCase() === lower)
  if (continent !== undefined) return `${continent[1]} is ${continent[0]}`
  const country = Object.keys(COUNTRIES).find((code) => code.toLowerCase() === lower || countryName(code).toLowerCase() === lower)
  if (country !== undefined) return `${countryName(country)} is ${country}`
  return lower.length === 2 ? undefined : suggestion(written, ['default', ...Object.values(CONTINENTS), ...Object.keys(COUNTRIES).map(countryName)])
}
