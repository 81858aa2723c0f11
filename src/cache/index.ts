export { Cache } from './cache.ts'
export type { Codec, CompressOptions, EncodingOptions } from './encoding.ts'
export type { CacheStats, Explanation, MissReasons, Staleness, StoredEntry } from './inspect.ts'
export type { MemoryMisses } from './memory.ts'
export type {
  CacheOptions,
  ExpiryOptions,
  GetOptions,
  Load,
  LoadContext,
  LoaderOptions,
  LoadMany,
  MemoryOptions,
  MutateOptions,
  RefreshOptions,
  SetOptions,
  SureLoad,
  WarmFailure,
  WarmOptions,
  WarmProgress,
  WarmResult,
  WriteOptions,
} from './options.ts'
export type { StandardSchema } from './schema.ts'
