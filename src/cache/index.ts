export { Cache } from './cache.ts'
export type { CacheStats } from './inspect.ts'
export type { LoadContext, LoadManyContext } from './load-context.ts'
export type {
  CacheOptions,
  ExpiryOptions,
  GetOptions,
  Load,
  LoaderOptions,
  LoadMany,
  MemoryOptions,
  SetOptions,
  SureLoad,
  WriteOptions,
} from './options.ts'
export type { WrapOptions, Wrapped } from './wrap.ts'
