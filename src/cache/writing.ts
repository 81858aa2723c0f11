import { backoffMs } from '../base/backoff.ts'
import { sleep } from '../base/clock.ts'
import type { ResolvedCacheOptions } from './options.ts'

/** Writes to the system of record, trying again as told; the last error passes through as it is. */
export async function persist(
  write: NonNullable<ResolvedCacheOptions['write']>,
  id: string,
  value: unknown,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await write.persist(id, value)
      return
    } catch (error) {
      if (attempt >= write.attempts || signal?.aborted) throw error
      await sleep(backoffMs(attempt - 1, write.baseMs, write.maxMs), signal)
    }
  }
}
