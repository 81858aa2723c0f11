import { checkInteger, checkKnown, checkOneOf, checkText } from '../base/check.ts'
import { ConfigError } from '../base/errors.ts'
import { FARTHEST_M, haversineOf, type Position, type Rectangle, rectangleAround, rectangleOf } from './sphere.ts'

export type Unit = 'm' | 'km' | 'mi' | 'ft'

/** How far: a number of metres, or words: `'300m' '5km' '2mi' '500ft'`. */
export type Distance = number | `${number}${Unit}`

const METRES: Readonly<Record<Unit, number>> = { m: 1, km: 1_000, mi: 1_609.344, ft: 0.3048 }
const UNITS = Object.keys(METRES) as Unit[]

export interface GeoOptions {
  /** Slots over which the set is split by where its places are, 1 to 64: for more than one server holds. The same in all processes. Default 1. */
  readonly split?: number
}

/** A box around a place, or between degrees: `west` above `east` goes across the antimeridian. */
export type Box =
  | { readonly width: Distance; readonly height: Distance }
  | { readonly west: number; readonly south: number; readonly east: number; readonly north: number }

export interface NearbyOptions {
  /** From where: degrees east and north. May be left out for a box between degrees, whose middle it is then. */
  readonly lon?: number
  readonly lat?: number
  /** How far, on the great circle; or: */
  readonly radius?: Distance
  /** Which rectangle of degrees; the width of one around a place is that through its middle, and poles end it. */
  readonly box?: Box
  /** Most places to tell, 1 to 5,000. Default 100. */
  readonly limit?: number
  /** The nearest first, the farthest first, or whichever are found first. Default `'near'`. */
  readonly order?: 'near' | 'far' | 'any'
  /** Of the distances that are told. Default `'m'`. */
  readonly unit?: Unit
}

export interface DistanceOptions {
  /** Default `'m'`. */
  readonly unit?: Unit
}

export const resolveSplit = (options: GeoOptions = {}): number => {
  checkKnown('', options, ['split'])
  return checkInteger('split', options.split ?? 1, 1, 64)
}

export const checkId = (id: unknown): string => checkText('id', id)

/** Many of something: an array, a Set, what a generator gives; no text, whose letters nobody means. */
export function checkIterable<M extends Iterable<unknown>>(option: string, many: M): M {
  if (typeof many !== 'object' || many === null || typeof many[Symbol.iterator] !== 'function')
    throw new ConfigError(option, 'an array or another iterable', many)
  return many
}

export function checkPosition(option: string, position: unknown): Position {
  if (typeof position !== 'object' || position === null)
    throw new ConfigError(option, '{ lon, lat } in degrees', position)
  const { lon, lat } = position as Partial<Position>
  return { lon: checkDegrees('lon', lon, 180), lat: checkDegrees('lat', lat, 90) }
}

function checkDegrees(option: string, degrees: unknown, most: number): number {
  if (typeof degrees !== 'number' || !(Math.abs(degrees) <= most))
    throw new ConfigError(option, `degrees of -${most} to ${most}`, degrees)
  return degrees
}

/** Metres for one of this unit. */
export function metresOf(unit: unknown = 'm'): number {
  return METRES[checkOneOf('unit', unit, UNITS)]
}

export function toMetres(distance: unknown, option: string): number {
  const match = typeof distance === 'string' ? /^(\d+(?:\.\d+)?)\s*(m|km|mi|ft)$/.exec(distance.trim()) : null
  const metres = match === null ? distance : Number(match[1]) * METRES[match[2] as Unit]
  if (typeof metres !== 'number' || !(metres >= 0) || !Number.isFinite(metres))
    throw new ConfigError(option, "a number of metres or a distance such as '5km'", distance)
  return metres
}

/** What is looked for: places of a rectangle, at most so far from `from`. */
export interface Search {
  readonly from: Position
  readonly rectangle: Rectangle
  /** The highest haversine. */
  readonly most: number
  readonly limit: number
  readonly order: 'near' | 'far' | 'any'
  readonly metres: number
}

export function checkNearby(options: NearbyOptions): Search {
  if (typeof options !== 'object' || options === null)
    throw new ConfigError('options', "an object such as { lon, lat, radius: '5km' }", options)
  checkKnown('options', options, ['lon', 'lat', 'radius', 'box', 'limit', 'order', 'unit'])
  const { radius, box } = options
  if ((radius === undefined) === (box === undefined))
    throw new ConfigError('radius', 'either a radius or a box', radius)
  return {
    ...(box === undefined ? circle(options) : shapeOf(box, options)),
    limit: checkInteger('limit', options.limit ?? 100, 1, 5_000),
    order: checkOneOf('order', options.order ?? 'near', ['near', 'far', 'any']),
    metres: metresOf(options.unit),
  }
}

type Shape = Pick<Search, 'from' | 'rectangle' | 'most'>
/** Above any haversine. */
const ANY = 2

function circle(options: NearbyOptions): Shape {
  const from = checkPosition('options', options)
  const metres = Math.min(FARTHEST_M, toMetres(options.radius, 'radius'))
  return { from, rectangle: rectangleAround(from, metres), most: metres === FARTHEST_M ? ANY : haversineOf(metres) }
}

function shapeOf(box: Box, options: NearbyOptions): Shape {
  if (typeof box !== 'object' || box === null) throw new ConfigError('box', '{ width, height }, or four degrees', box)
  if ('width' in box) {
    checkKnown('box', box, ['width', 'height'])
    const from = checkPosition('options', options)
    const [width, height] = [toMetres(box.width, 'box.width'), toMetres(box.height, 'box.height')]
    return { from, rectangle: rectangleOf(from, width, height), most: ANY }
  }
  checkKnown('box', box, ['west', 'south', 'east', 'north'])
  const [west, east] = [checkDegrees('box.west', box.west, 180), checkDegrees('box.east', box.east, 180)]
  const south = checkDegrees('box.south', box.south, 90)
  const north = checkDegrees('box.north', box.north, 90)
  if (south > north) throw new ConfigError('box.south', `at most box.north, ${north}`, south)
  const width = east >= west ? east - west : east - west + 360
  const middle = west + width / 2
  const from =
    options.lon === undefined && options.lat === undefined
      ? { lon: middle > 180 ? middle - 360 : middle, lat: (south + north) / 2 }
      : checkPosition('options', options)
  return { from, rectangle: { west, width, south, north }, most: ANY }
}
