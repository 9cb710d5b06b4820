const EARTH_RADIUS_KM = 6371
const RADIANS = Math.PI / 180

/** Great-circle distance (haversine) between two points in degrees, in kilometres. */
export function greatCircle(a: readonly [number, number], b: readonly [number, number]): number {
  const latitude = Math.sin(((b[0] - a[0]) * RADIANS) / 2)
  const longitude = Math.sin(((b[1] - a[1]) * RADIANS) / 2)
  const half = latitude * latitude + Math.cos(a[0] * RADIANS) * Math.cos(b[0] * RADIANS) * longitude * longitude
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(half)))
}

/**
 * Light in fibre needs 5 µs per kilometre, so 1 ms there and back per 100 km; cables are longer than the great circle by
 * 1.25 to 1.5 (ITU-T Y.1541 appendix III takes both figures as planning values, 1.5 for the shorter routes).
 */
const DETOUR = 1.5

/** The round trip that a distance stands for where none was measured, in milliseconds. */
export function estimateMs(kilometres: number): number {
  return (kilometres / 100) * DETOUR
}
