import { escapePart, type Key, type Keyspace } from '../redis/keyspace.ts'
import { slotOf } from '../redis/slots.ts'
import type { Bucket } from './tiers.ts'

/**
 * The keys of one name. All that belongs to one part is of one hash tag; without `spread` there is one part. For the name `site` in the
 * namespace `shop`, in the minute 29384756 of the epoch:
 *
 *     {shop:analytics:site:0/1}:m29384756               hash  counts: see `fields`
 *     {shop:analytics:site:0/1}:m29384756:t:page        zset  the top items of a dimension by hits
 *     {shop:analytics:site:0/1}:m29384756:u:page        HLL   the visitors of a dimension
 *     {shop:analytics:site:0/1}:m29384756:i:page:/bay   HLL   the visitors of an item
 *     {shop:analytics:site:0/1}:h489745:v:booked        zset  an event's visitors of the lowest hashes; hours and days only
 *     {shop:analytics:site:0/1}:r:booked                zset  the newest events
 *     {shop:analytics:site:0/1}:w:k3V…                  string  the number of the last lot of a writer
 *
 * A bucket's keys end when it is no longer kept, `r` with the days, `w` a day after its last lot.
 */
export class AnalyticsKeys {
  readonly spread: number
  readonly #tags: readonly Key[]
  /** A pattern over all keys of this name, for the manifest of rights. */
  readonly pattern: string

  constructor(keyspace: Keyspace, name: string, spread: number) {
    this.spread = spread
    this.#tags = Array.from({ length: spread }, (_, part) => keyspace.entity('analytics', name, `${part}/${spread}`))
    this.pattern = `{${keyspace.stem('analytics', name)}*`
  }

  /** Where an item, an event or a dimension is counted. */
  partOf(name: string): number {
    return this.spread === 1 ? 0 : slotOf(name) % this.spread
  }

  writer(part: number, writer: string): Key {
    return `${this.#tags[part]}:w:${writer}` as Key
  }

  counts(part: number, bucket: Bucket): Key {
    return `${this.#tags[part]}:${bucket.tier.letter}${bucket.atMs / bucket.tier.ms}` as Key
  }

  top(part: number, bucket: Bucket, dimension: string): Key {
    return `${this.counts(part, bucket)}:t:${escapePart(dimension)}` as Key
  }

  visitors(part: number, bucket: Bucket, dimension: string, item?: string): Key {
    const name = escapePart(dimension)
    const kind = item === undefined ? `u:${name}` : `i:${name}:${escapePart(item)}`
    return `${this.counts(part, bucket)}:${kind}` as Key
  }

  sample(part: number, bucket: Bucket, event: string): Key {
    return `${this.counts(part, bucket)}:v:${escapePart(event)}` as Key
  }

  recent(part: number, event: string): Key {
    return `${this.#tags[part]}:r:${escapePart(event)}` as Key
  }
}

/** The fields of a bucket's hash: one letter, and whose. */
export const fields = {
  /** How often an event was. */
  event: (event: string): string => `e${event}`,
  /** The sum of a field of an event. */
  sum: (event: string, field: string): string => `s${escapePart(event)}:${field}`,
  /** Hits of a dimension. */
  dimension: (dimension: string): string => `d${dimension}`,
  /** How many items of a dimension have their visitors counted. */
  items: (dimension: string): string => `i${dimension}`,
} as const
