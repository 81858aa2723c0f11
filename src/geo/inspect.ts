import type { Redis } from '../redis/redis.ts'
import { GeoKeys } from './keys.ts'

/** How many places a set has in each of its parts. */
export async function inspectGeo(redis: Redis, name: string, split: number): Promise<readonly number[]> {
  const keys = new GeoKeys(redis.keyspace, name, split)
  const parts = Array.from({ length: split }, (_, part) => keys.at(part))
  return Promise.all(
    parts.map(async (key) => Number(await redis.call(key, 'HLEN', [key], { operation: 'geo.inspect', repeat: true }))),
  )
}
