export type { StandardSchema } from '../base/schema.ts'
export type { WriteLag } from './behind.ts'
export { Cache } from './cache.ts'
export type { DeadWrite, DeadWriteSelection, DeadWritesOptions } from './dead-writes.ts'
export type { Codec, CompressOptions, EncodingOptions } from './encoding.ts'
export { LoadTimeoutError, MutationError, PersistTimeoutError, WriteBehindFullError } from './errors.ts'
export type { CacheStats, Explanation, MissReasons, Staleness, StoredEntry } from './inspect.ts'
export type { LoadContext, LoadManyContext } from './load-context.ts'
export type { MemoryMisses } from './memory.ts'
export type {
  CacheOptions,
  ExpiryOptions,
  GetOptions,
  Load,
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
} from './options.ts'
export type { WrapOptions, Wrapped } from './wrap.ts'
export type {
  WriteBehindOptions,
  WriteOptions,
  WriteRetryOptions,
  WriteThroughOptions,
  WrittenEntry,
} from './write-options.ts'
