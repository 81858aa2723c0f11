export { Cache, type CacheStats, type GetOptions, type SetOptions } from './cache.ts'
export type {
  CacheOptions,
  ExpiryOptions,
  Load,
  LoadContext,
  LoaderOptions,
  LoadMany,
  MemoryOptions,
  WriteOptions,
} from './options.ts'
