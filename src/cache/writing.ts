import { backoffMs } from '../base/backoff.ts'
import { monotonicMs, sleep } from '../base/clock.ts'
import { ServerError } from '../base/errors.ts'
import { randomId } from '../base/id.ts'
import { TOKEN_LENGTH } from '../lease/lease.ts'
import type { LoadPlan } from './load-plan.ts'
import type { ResolvedCacheOptions } from './options.ts'
import type { Refill } from './refill.ts'
import type { RefillRoom } from './refill-room.ts'

/** Writes a value to its entry, after it was persisted where the cache says so. */
export async function writeValue(
  room: RefillRoom,
  refill: Refill,
  id: string,
  value: unknown,
  plan: LoadPlan,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { write } = room.options
  const store = (token?: string) => storeValue(room, refill, id, value, plan, token)
  if (write === undefined) await store()
  else await writeThrough(room, write, id, value, signal, store)
}

/** Writes an entry; with a token, only while its lease stands. False when it stands no more. */
async function storeValue(
  { entries, tags }: RefillRoom,
  refill: Refill,
  id: string,
  value: unknown,
  plan: LoadPlan,
  token: string | undefined,
): Promise<boolean> {
  try {
    const all = refill.tagsOf(id, value, plan.tags)
    const stamps = all.length === 0 ? [] : (await tags.begin(all, plan.ttlMs)).stamps
    const { lifeMs, frame } = refill.frame(value, plan.ttlMs, stamps)
    if (token !== undefined) return await entries.fillOne(token, id, lifeMs, frame)
    await entries.put(id, lifeMs, frame)
    return true
  } catch (error) {
    // A full server takes no new value, but lets go of the old one, which the caller knows to be out of date.
    if (error instanceof ServerError && error.code === 'SERVER_FULL')
      await entries.remove(id, 'cache.set').catch(() => {})
    throw error
  }
}

/**
 * Persists a value and then caches it, under the entry's lease.
 *
 * Of two writes that overlap, nobody here knows which one the system of record has last. So a write takes the lease before it persists
 * and stores only while it still has it; who finds it gone leaves the entry empty. What was loaded meanwhile is voided either way.
 *
 * store   writes the entry under a token; false when its lease stands no more
 * throws  the error of `persist`; then the entry is empty, since a failure may have been written all the same
 */
async function writeThrough(
  { entries, keeper }: RefillRoom,
  write: NonNullable<ResolvedCacheOptions['write']>,
  id: string,
  value: unknown,
  signal: AbortSignal | undefined,
  store: (token: string) => Promise<boolean>,
): Promise<void> {
  const token = randomId(TOKEN_LENGTH)
  const askedMs = monotonicMs()
  let refusal: unknown
  // That Redis is away is no reason not to persist.
  const lease = await entries.claim(id, token).catch((error) => {
    refusal = error
  })
  const held = lease && keeper.hold([lease], token, askedMs)
  try {
    await persist(write, id, value, signal)
    if (held !== undefined && (await store(token))) return
  } catch (error) {
    await entries.remove(id, 'cache.set').catch(() => {})
    throw error
  } finally {
    if (held !== undefined) keeper.letGo(held)
  }
  await entries.remove(id, 'cache.set')
  if (refusal instanceof ServerError) throw refusal
}

/** Writes to the system of record, trying again as told; the last error passes through as it is. */
async function persist(
  write: NonNullable<ResolvedCacheOptions['write']>,
  id: string,
  value: unknown,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await (write.persist as (id: string, value: unknown) => unknown)(id, value)
      return
    } catch (error) {
      if (attempt >= write.attempts || signal?.aborted) throw error
      await sleep(backoffMs(attempt - 1, write.baseMs, write.maxMs), signal)
    }
  }
}
