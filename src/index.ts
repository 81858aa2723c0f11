export type { Duration } from './base/duration.ts'
export {
  ConfigError,
  ConnectionError,
  ERROR_CODES,
  type ErrorCode,
  HoldfastError,
  LoadTimeoutError,
  ServerError,
  TimeoutError,
  ValueError,
} from './base/errors.ts'
export type {
  Cache,
  CacheOptions,
  CacheStats,
  GetOptions,
  Load,
  LoadContext,
  LoadMany,
  LoadManyContext,
  SetOptions,
  SureLoad,
  WrapOptions,
  Wrapped,
} from './cache/index.ts'
export { connect, type Holdfast, type PerRequestOptions } from './holdfast.ts'
export type { Durability } from './redis/durable.ts'
export type { PoolFigures } from './redis/node-pool.ts'
export type { OwnConnection } from './redis/own-connection.ts'
export type { Pool, PoolStats, UseOptions } from './redis/pool.ts'
export type { PoolOptions } from './redis/pool-options.ts'
export type { ConnectOptions } from './redis/settings.ts'
export type {
  ChangesOptions,
  ConfirmOptions,
  ConfirmResult,
  CreateResult,
  EventOptions,
  Held,
  HoldOptions,
  HoldResult,
  NotHeld,
  ReleaseResult,
  Seat,
  SeatChange,
  SeatCounts,
  SeatMap,
  SeatState,
  Seats,
  SeatsDurability,
  SeatsOptions,
  Section,
  VerifyResult,
} from './seats/index.ts'
