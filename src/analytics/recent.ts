import { ValueError } from '../base/errors.ts'
import type { Redis } from '../redis/redis.ts'
import type { AnalyticsKeys } from './keys.ts'
import type { EventFields } from './options.ts'

/** One event, as it was tracked. */
export interface RecentRecord {
  readonly atMs: number
  readonly fields: EventFields
}

/** Letters before the fields, which tell two events from each other that are the same. */
export const TOKEN = 8

/** The newest events of a name, the newest first. */
export async function readRecent(
  redis: Redis,
  keys: AnalyticsKeys,
  event: string,
  n: number,
): Promise<readonly RecentRecord[]> {
  const key = keys.recent(keys.partOf(event), event)
  const args = [key, 0, n - 1, 'REV', 'WITHSCORES']
  const words = (await redis.call(key, 'ZRANGE', args, {
    operation: 'analytics.recent',
    repeat: true,
  })) as readonly string[]
  const records: RecentRecord[] = []
  for (let at = 0; at < words.length; at += 2)
    records.push({ atMs: Math.floor(Number(words[at + 1])), fields: parse(key, (words[at] as string).slice(TOKEN)) })
  return records
}

function parse(key: string, json: string): EventFields {
  try {
    return JSON.parse(json) as EventFields
  } catch (error) {
    throw new ValueError('VALUE_UNREADABLE', key, 'is no event of ours', error)
  }
}
