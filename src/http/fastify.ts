export type { Purge } from './cache/door.ts'
export { cacheResponse, type FastifyCache } from './cache/fastify.ts'
export type { CacheResponseOptions } from './cache/options.ts'
export { responseTags } from './cache/stored.ts'
