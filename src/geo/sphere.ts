/** The mean radius of the earth, in metres; the earth itself differs from a ball by up to 0.5 %. */
const RADIUS_M = 6_371_008.8
const RAD = Math.PI / 180

export interface Position {
  /** Degrees east, -180 to 180. */
  readonly lon: number
  /** Degrees north, -90 to 90. */
  readonly lat: number
}

/** The half of a great circle: nothing is further away. */
export const FARTHEST_M = Math.PI * RADIUS_M

/** The square of the sine of half the angle between two places: grows with their distance, and needs no root to be compared. */
export function haversine(a: Position, b: Position): number {
  const south = Math.sin(((b.lat - a.lat) * RAD) / 2)
  const west = Math.sin(((b.lon - a.lon) * RAD) / 2)
  return south * south + Math.cos(a.lat * RAD) * Math.cos(b.lat * RAD) * west * west
}

/** Metres along the great circle. */
export const distanceM = (a: Position, b: Position): number =>
  2 * RADIUS_M * Math.asin(Math.min(1, Math.sqrt(haversine(a, b))))

/** The haversine of a distance: places at most so far have at most this. */
export function haversineOf(metres: number): number {
  const half = Math.sin(Math.min(metres, FARTHEST_M) / (2 * RADIUS_M))
  return half * half
}

/** From a west to an east going eastwards, over the antimeridian where it lies between; `width` 360 is all around. */
export interface Rectangle {
  readonly west: number
  readonly width: number
  readonly south: number
  readonly north: number
}

/** Rounding may not leave out who stands on the edge. */
const EDGE = 1e-9

/** The least rectangle around all places within a distance. */
export function rectangleAround({ lon, lat }: Position, radiusM: number): Rectangle {
  const angle = radiusM / RADIUS_M
  const reach = angle / RAD + EDGE
  const [south, north] = [Math.max(-90, lat - reach), Math.min(90, lat + reach)]
  // A circle that holds a pole touches every meridian.
  if (south === -90 || north === 90) return { west: -180, width: 360, south, north }
  const half = Math.asin(Math.min(1, Math.sin(angle) / Math.cos(lat * RAD))) / RAD + EDGE
  return { west: normalLon(lon - half), width: Math.min(360, 2 * half), south, north }
}

/** A rectangle of degrees whose sides are so long through its middle, ended by the poles. */
export function rectangleOf({ lon, lat }: Position, widthM: number, heightM: number): Rectangle {
  const reach = heightM / 2 / RADIUS_M / RAD
  const round = 2 * Math.PI * RADIUS_M * Math.cos(lat * RAD)
  const width = widthM >= round ? 360 : (widthM / round) * 360
  const [south, north] = [Math.max(-90, lat - reach), Math.min(90, lat + reach)]
  return { west: width === 360 ? -180 : normalLon(lon - width / 2), width, south, north }
}

/** The same meridian as -180 to 180. */
export const normalLon = (lon: number): number =>
  lon >= -180 && lon <= 180 ? lon : ((((lon + 180) % 360) + 360) % 360) - 180
