export type { Duration } from './base/duration.ts'
export {
  ConfigError,
  ConnectionError,
  ERROR_CODES,
  type ErrorCode,
  HoldfastError,
  LoadTimeoutError,
  MutationError,
  ServerError,
  TimeoutError,
  ValueError,
} from './base/errors.ts'
export type {
  Cache,
  CacheOptions,
  CacheStats,
  Codec,
  CompressOptions,
  EncodingOptions,
  Explanation,
  GetOptions,
  Load,
  LoadContext,
  LoadMany,
  LoadManyContext,
  MutateOptions,
  RefreshOptions,
  SetOptions,
  Staleness,
  StandardSchema,
  SureLoad,
  WarmFailure,
  WarmOptions,
  WarmProgress,
  WarmResult,
  WrapOptions,
  Wrapped,
} from './cache/index.ts'
export { connect, type Holdfast, type PerRequestOptions } from './holdfast.ts'
export type {
  Algorithm,
  ConsumeOptions,
  HeadersOptions,
  HeadersVersion,
  IpKeyOptions,
  Limiter,
  LimiterOptions,
  LimiterStats,
  RuleFigures,
  RuleOptions,
  Turn,
  TurnSource,
} from './limit/index.ts'
export { ipKey, rateLimitHeaders } from './limit/index.ts'
export type { Durability } from './redis/durable/durable.ts'
export type { PoolFigures } from './redis/pool/node-pool.ts'
export type { PoolOptions } from './redis/pool/options.ts'
export type { OwnConnection } from './redis/pool/own-connection.ts'
export type { Pool, PoolStats, UseOptions } from './redis/pool/pool.ts'
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
export {
  type CreateSessionOptions,
  type RegenerateSessionOptions,
  type RevokeAllSessionsOptions,
  type Session,
  type SessionInfo,
  type SessionPatch,
  type Sessions,
  type SessionsOptions,
  SessionTooLargeError,
} from './session/index.ts'
export type {
  LogOptions,
  UpdateOptions,
  Value,
  ValueCallOptions,
  ValueLogEntry,
  ValueOptions,
  ValueSetOptions,
} from './value/index.ts'
export { ValueConflictError } from './value/index.ts'
