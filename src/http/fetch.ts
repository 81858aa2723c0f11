export type { Purge } from './cache/door.ts'
export { cacheResponse, type FetchCache, type FetchHandler } from './cache/fetch.ts'
export type { CacheResponseOptions } from './cache/options.ts'
export { responseTags } from './cache/stored.ts'
