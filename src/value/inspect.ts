import { decode } from '../base/codec.ts'
import { ValueError } from '../base/errors.ts'
import type { Redis } from '../redis/redis.ts'
import type { Reply } from '../redis/wire.ts'
import type { ValueKeys } from './keys.ts'

/** A value as it was seen. */
export interface Seen {
  readonly content: unknown
  readonly version: string
}

/** One entry of a value's log. */
export interface ValueLogEntry<Entry> {
  /** When, by the server's clock. */
  readonly atMs: number
  readonly entry: Entry
}

/** The value and its version, of one moment. */
export async function readValue(redis: Redis, { value }: ValueKeys, operation = 'value.get'): Promise<Seen> {
  const reply = await redis.call(value, 'HMGET', [value, 'json', 'types', 'version'], { operation, repeat: true })
  const [json, types, version] = reply as readonly (string | null)[]
  return { content: json == null ? undefined : decode(json, types ?? ''), version: version ?? '' }
}

/** The newest entries of a value's log, the newest first. */
export async function readLog(redis: Redis, { log }: ValueKeys, limit: number): Promise<ValueLogEntry<unknown>[]> {
  const args = [log, '+', '-', 'COUNT', limit]
  const reply = await redis.call(log, 'XREVRANGE', args, { operation: 'value.log', repeat: true })
  return (reply as readonly Reply[]).map((item) => {
    const [id, fields] = item as readonly [string, readonly string[]]
    const [, json, , types] = fields
    if (json === undefined || types === undefined)
      throw new ValueError('VALUE_UNREADABLE', `${log} ${id}`, 'is no entry of ours')
    return { atMs: Number.parseInt(id, 10), entry: decode(json, types) }
  })
}
