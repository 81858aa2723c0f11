import type { Cache } from 'holdfast'
import { expect, vi } from 'vitest'

/** Sets a value and returns when a cache with memory serves it from there. */
export function keepInMemory<T, Got>(cache: Cache<T, Got>, id: string, value: T): Promise<void> {
  return keepAllInMemory(cache, [id], value)
}

/** The same of many ids: returns when all are served from memory in one turn. */
export async function keepAllInMemory<T, Got>(cache: Cache<T, Got>, ids: readonly string[], value: T): Promise<void> {
  await Promise.all(ids.map((id) => cache.set(id, value)))
  await vi.waitFor(async () => {
    const before = cache.stats.hits.memory
    for (const id of ids) await cache.get(id)
    expect(cache.stats.hits.memory - before).toBe(ids.length)
  })
}
