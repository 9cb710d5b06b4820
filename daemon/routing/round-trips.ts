import { measurementOf, type LatencyImage, type MeasuredRows, type Measurement, type Network, type Place } from '../../geodb/index.ts'
import { estimateMs, greatCircle } from './distance.ts'
import type { RoundTrip, View } from './tree.ts'
import type { Target } from './types.ts'

export interface TripOptions {
  readonly place: Place
  readonly network: Network
  readonly targets: readonly Target[]
  readonly kilometres: View['kilometres']
  readonly latencies: LatencyImage | undefined
}

/**
 * Round trips from one viewer: measured, else estimated. So that the two can be compared, what was measured corrects what is
 * guessed: a guess by distance is longer by what the measured ones were longer than theirs (the last mile, which all ways
 * have), and no guess is nearer or farther from the nearest measured edges than these edges lie apart (a viewer 3 ms from
 * Frankfurt is not 5 ms from Seoul, wherever a database has it).
 */
export function makeRoundTrips({ place, network, targets, kilometres, latencies }: TripOptions): Pick<View, 'milliseconds' | 'isMeasured'> {
  const measured = latencies === undefined ? new Map<number, Measurement>() : measuredTo(latencies, rowsOf(latencies, place, network))
  const known = new Map<number, RoundTrip | undefined>()
  const guess = (target: number): number | undefined => {
    const distance = kilometres(target)
    return distance === undefined ? undefined : estimateMs(distance)
  }
  const lastMile = medianOf([...measured].flatMap(([target, { ms }]) => {
    const guessed = guess(target)
    return guessed === undefined ? [] : [Math.max(0, ms - guessed)]
  }))

  const estimate = (target: number): number | undefined => {
    const guessed = guess(target)
    const { at } = targets[target]!
    if (measured.size === 0 || at === undefined) return guessed
    let least = 0
    let most = Infinity
    for (const [other, { ms }] of measured) {
      const apart = targets[other]!.at
      if (apart === undefined) continue
      const between = estimateMs(greatCircle(apart, at))
      least = Math.max(least, between - ms)
      most = Math.min(most, between + ms)
    }
    return Math.max(least, Math.min(most, guessed === undefined ? Infinity : guessed + lastMile))
  }

  return {
    isMeasured: measured.size > 0,
    milliseconds(target) {
      if (known.has(target)) return known.get(target)
      const found = measured.get(target)
      const ms = found?.ms ?? estimate(target)
      const trip = ms === undefined || ms === Infinity ? undefined : { ms, ...(found !== undefined && { measured: { samples: found.samples, of: found.of } }) }
      known.set(target, trip)
      return trip
    }
  }
}

function rowsOf({ systems, countries }: LatencyImage, { country }: Place, { row = -1, asn }: Network): MeasuredRows {
  return { network: row, system: asn === undefined ? -1 : (systems.get(asn) ?? -1), country: country === undefined ? -1 : (countries.get(country) ?? -1) }
}

function measuredTo(latencies: LatencyImage, rows: MeasuredRows): Map<number, Measurement> {
  const measured = new Map<number, Measurement>()
  if (rows.network < 0 && rows.system < 0 && rows.country < 0) return measured
  for (let target = 0; target < latencies.columns; target++) {
    const found = measurementOf(latencies, rows, target)
    if (found !== undefined) measured.set(target, found)
  }
  return measured
}

function medianOf(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? 0
}
