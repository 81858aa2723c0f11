export { type AlarmOptions, LagAlarm } from './alarm.ts'
export type { LogEntry } from './entry.ts'
export { LogGapError, LogGroupRemovedError, LogHandlerTimeoutError, LogLeaseLostError } from './errors.ts'
export { LogGroup, type RedriveOptions } from './group.ts'
export type { DeadEntry, GroupView } from './inspect.ts'
export { Log } from './log.ts'
export type {
  AppendManyOptions,
  AppendOptions,
  GroupOptions,
  IterateOptions,
  LogOptions,
  LogPoint,
  ProcessBatchOptions,
  ProcessOptions,
  ReadOptions,
  RetentionOptions,
} from './options.ts'
export { type HandlerContext, LogWorker } from './worker.ts'
