import type { Duration } from '../base/duration.ts'

/** What a loader is told beside the id, and by what it says how its value is to be kept. Its functions need no `this`. */
export interface LoadContext {
  /** Fires when nobody waits for the answer any more: all callers have left, `loader.hardTimeout` is over, or the cache was closed. */
  readonly signal: AbortSignal
  /** The value that is being refreshed, if there is one: stale, or about to be. It was not invalidated. Do not change it. */
  // biome-ignore lint/suspicious/noExplicitAny: named by T, a loader's T could not be told by what it returns
  readonly stale: any
  /** How long this value is fresh, instead of what the cache and the call say; `null` too. */
  setTtl(ttl: Duration): void
  /** Tags of this value, beside those that the cache and the call give it. */
  setTags(tags: readonly string[]): void
  /** The value answers those who wait, and is not kept. */
  skip(): void
  /** `return notModified()`: the stale value is what there is; it lives anew, with its tags. Throws ConfigError where there is none. */
  notModified(): never
}

/** What a loader of many is told: as for one, but it says of which id. */
export interface LoadManyContext {
  readonly signal: AbortSignal
  setTtl(id: string, ttl: Duration): void
  setTags(id: string, tags: readonly string[]): void
  skip(id: string): void
}
