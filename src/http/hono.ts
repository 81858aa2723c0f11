export type { Purge } from './cache/door.ts'
export { cacheResponse, type HonoCache, type HonoCacheOptions } from './cache/hono.ts'
export type { CacheResponseOptions } from './cache/options.ts'
export { responseTags } from './cache/stored.ts'
