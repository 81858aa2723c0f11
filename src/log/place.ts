import type { Redis } from '../redis/redis.ts'
import type { GroupKeys, LogKeys } from './keys.ts'
import type { ResolvedGroupOptions } from './options.ts'

/** Where one group lives, and how it is made. */
export interface GroupPlace {
  readonly redis: Redis
  /** Of the log. */
  readonly name: string
  readonly keys: LogKeys
  readonly group: string
  readonly own: GroupKeys
  /** Dead entries that are kept. */
  readonly keepDead: number
  open(how: ResolvedGroupOptions): Promise<void>
}
