export type { Purge } from './cache/door.ts'
export { cacheResponse, type ExpressCache } from './cache/express.ts'
export type { CacheResponseOptions } from './cache/options.ts'
export { responseTags } from './cache/stored.ts'
