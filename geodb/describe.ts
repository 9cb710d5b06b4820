import { CONTINENTS, countryName } from './countries.ts'
import type { Place } from './places.ts'

/** A place in a few words, without its source: `Seongnam-si, South Korea (KR)`, `Europe (EU)`, `an unknown place`. */
export function describePlace(place: Place): string {
  const parts: string[] = []
  if (place.city !== undefined) parts.push(place.city)
  if (place.country !== undefined) parts.push(`${countryName(place.country)} (${place.country})`)
  else if (place.continent !== undefined) parts.push(`${CONTINENTS[place.continent] ?? place.continent} (${place.continent})`)
  else if (place.latitude !== undefined && place.longitude !== undefined) parts.push(`${place.latitude.toFixed(1)}, ${place.longitude.toFixed(1)}`)
  return parts.length === 0 ? 'an unknown place' : parts.join(', ')
}
