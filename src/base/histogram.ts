import { checkFraction } from './check.ts'
import { ConfigError } from './errors.ts'

/** Steps of a thousandth are told apart up to here; above, 32 buckets to each doubling. */
const EXACT = 64
const PER_DOUBLING = 32
const RESOLUTION = 1_000
const LARGEST_TICK = 2 ** 53 - 1
const BUCKETS = 1_568
const FORM = 1

/** A histogram as plain numbers: what crosses a process by structured clone, or is put together from stored fields. */
export interface HistogramCounts {
  /** By bucket, how many. */
  readonly counts: Iterable<readonly [bucket: number, count: number]>
  readonly sum: number
  readonly min: number
  readonly max: number
}

/** A histogram as it crosses processes, also as JSON. */
export interface HistogramDump extends HistogramCounts {
  readonly counts: readonly (readonly [bucket: number, count: number])[]
}

/**
 * How values spread, in a fixed number of buckets: for durations in ms, or any numbers of 0 to 9 × 10^12. Two of them add up to what
 * one would have counted, in any order, which sorted samples and percentiles do not.
 *
 * promise  a percentile is that of the sorted samples to 1.6 %, or to 0.0005 where that is more; count, min and max are exact
 * costs    12 KiB, whatever the count; recording is O(1) and makes nothing
 */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS)
  #count = 0
  #sum = 0
  #min = Number.POSITIVE_INFINITY
  #max = 0

  /** Counts a value, `times` times: a whole number of at least 1. Throws ConfigError for what is no number of 0 to 9 × 10^12. */
  record(value: number, times = 1): void {
    if (typeof value !== 'number') throw new ConfigError('value', 'a number of 0 to 9e12', value)
    const ticks = Math.floor(value * RESOLUTION + 0.5)
    if (!(value >= 0 && ticks <= LARGEST_TICK)) throw new ConfigError('value', 'a number of 0 to 9e12', value)
    if (!(times >= 1 && Number.isInteger(times))) throw new ConfigError('times', 'a whole number of at least 1', times)
    const bucket = bucketOf(ticks)
    this.#counts[bucket] = (this.#counts[bucket] as number) + times
    this.#count += times
    this.#sum += value * times
    if (value < this.#min) this.#min = value
    if (value > this.#max) this.#max = value
  }

  get count(): number {
    return this.#count
  }

  get sum(): number {
    return this.#sum
  }

  /** 0 before the first value. */
  get min(): number {
    return this.#count === 0 ? 0 : this.#min
  }

  get max(): number {
    return this.#max
  }

  /** 0 before the first value. */
  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count
  }

  /** The value that a share of 0 to 1 of all did not exceed; 0 before the first. Throws ConfigError for what is no share: 95, say. */
  percentile(share: number): number {
    checkFraction('share', share)
    if (this.#count === 0) return 0
    const wanted = Math.max(1, Math.ceil(this.#count * share))
    // The first and the last are known exactly.
    if (wanted === 1) return this.#min
    if (wanted >= this.#count) return this.#max
    let seen = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket] as number
      if (seen >= wanted) return Math.min(this.#max, Math.max(this.#min, middleOf(bucket)))
    }
    return this.#max
  }

  /** How many values were at most so much, to the width of a bucket. */
  countUpTo(value: number): number {
    if (value >= this.#max) return this.#count
    const last = bucketOf(Math.max(0, Math.floor(value * RESOLUTION + 0.5)))
    let seen = 0
    for (let bucket = 0; bucket <= last; bucket++) seen += this.#counts[bucket] as number
    return seen
  }

  /** Adds what another counted. */
  add(other: Histogram | HistogramCounts): void {
    const { counts, sum, min, max } = other instanceof Histogram ? other.dump() : other
    let added = 0
    for (const [bucket, count] of counts) {
      if (!(Number.isSafeInteger(bucket) && bucket >= 0 && bucket < BUCKETS && count >= 0))
        throw new ConfigError('counts', `pairs of a bucket of 0 to ${BUCKETS - 1} and a count`, [bucket, count])
      this.#counts[bucket] = (this.#counts[bucket] as number) + count
      added += count
    }
    if (added === 0) return
    this.#count += added
    this.#sum += sum
    this.#min = Math.min(this.#min, min)
    this.#max = Math.max(this.#max, max)
  }

  dump(): HistogramDump {
    const counts: (readonly [number, number])[] = []
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = this.#counts[bucket] as number
      if (count > 0) counts.push([bucket, count])
    }
    return { counts, sum: this.#sum, min: this.min, max: this.#max }
  }

  /** As bytes: 25, and 2 to 4 for each bucket that was touched. */
  encode(): Buffer {
    const { counts } = this.dump()
    const bytes: number[] = []
    let previous = -1
    for (const [bucket, count] of counts) {
      pushVarint(bytes, bucket - previous - 1)
      pushVarint(bytes, count)
      previous = bucket
    }
    const head = Buffer.alloc(25)
    head.writeUInt8(FORM, 0)
    head.writeDoubleLE(this.#sum, 1)
    head.writeDoubleLE(this.min, 9)
    head.writeDoubleLE(this.#max, 17)
    return Buffer.concat([head, Buffer.from(bytes)])
  }

  /** What `encode` wrote; throws ConfigError for other bytes. */
  static decode(bytes: Uint8Array): Histogram {
    if (!(bytes instanceof Uint8Array)) throw new ConfigError('bytes', 'an encoded histogram', bytes)
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (buffer.length < 25 || buffer[0] !== FORM)
      throw new ConfigError('bytes', 'an encoded histogram', `${buffer.length} bytes`)
    const counts: [number, number][] = []
    const at = { offset: 25 }
    for (let bucket = -1; at.offset < buffer.length; ) {
      bucket += readVarint(buffer, at) + 1
      counts.push([bucket, readVarint(buffer, at)])
    }
    const histogram = new Histogram()
    const [sum, min, max] = [buffer.readDoubleLE(1), buffer.readDoubleLE(9), buffer.readDoubleLE(17)]
    histogram.add({ counts, sum, min, max })
    return histogram
  }
}

/** The bucket of a whole number of steps. */
function bucketOf(ticks: number): number {
  if (ticks < EXACT) return ticks
  if (ticks < 2 ** 31) {
    const power = 31 - Math.clz32(ticks)
    return PER_DOUBLING * (power - 5) + (ticks >>> (power - 5))
  }
  const power = 53 - Math.clz32(Math.floor(ticks / 2 ** 22))
  return PER_DOUBLING * (power - 5) + Math.floor(ticks / 2 ** (power - 5))
}

/** The value in the middle of a bucket: no value in it is further off than half its width, 1/64 of its lowest. */
function middleOf(bucket: number): number {
  if (bucket < EXACT) return bucket / RESOLUTION
  const width = 2 ** (Math.floor(bucket / PER_DOUBLING) - 1)
  return ((PER_DOUBLING + (bucket % PER_DOUBLING)) * width + (width - 1) / 2) / RESOLUTION
}

function pushVarint(bytes: number[], n: number): void {
  let rest = n
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  bytes.push(rest)
}

function readVarint(bytes: Buffer, at: { offset: number }): number {
  let n = 0
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[at.offset++]
    if (byte === undefined || scale > 2 ** 49) throw new ConfigError('bytes', 'an encoded histogram', 'a broken one')
    n += (byte & 127) * scale
    if (byte < 128) return n
  }
}
