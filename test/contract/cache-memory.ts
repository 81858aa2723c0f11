import type { Cache } from 'holdfast'
import { expect, vi } from 'vitest'

/** Sets a value and returns when a cache with memory serves it from there. */
export async function keepInMemory<T, Got>(cache: Cache<T, Got>, id: string, value: T): Promise<void> {
  await cache.set(id, value)
  await vi.waitFor(async () => {
    const before = cache.stats.hits.memory
    await cache.get(id)
    expect(cache.stats.hits.memory).toBe(before + 1)
  })
}
