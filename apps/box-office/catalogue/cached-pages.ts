/**
 * Whole pages that are the same for everybody, kept as they were answered. They are made of what the cache of queries says, so they are
 * dropped after it, when something has changed.
 */

import type { Cache, Holdfast } from 'holdfast'
import { responseTags } from 'holdfast/hono'

/** Of every page that shows events. */
export const EVENTS = 'events'

/** The same instance wherever it is asked for. */
export function cachedPages(hf: Holdfast): Cache<unknown> {
  return hf.cache('page', {
    ttl: '1m',
    memory: { maxEntries: 200, maxBytes: 16 * 2 ** 20, ttl: '5s' },
    stampede: 'fleet',
    tags: responseTags,
  })
}
