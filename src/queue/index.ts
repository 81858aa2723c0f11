export type { Handler, JobContext } from './attempt.ts'
export type {
  DeadLetter,
  DeadLettersOptions,
  DeadSelection,
  RedriveOptions,
  RedriveResult,
} from './dead-letters.ts'
export type { AddedJob, FollowOptions, FollowUpTarget } from './effects.ts'
export {
  GiveUp,
  JobCancelledError,
  JobLeaseLostError,
  JobTimeoutError,
  OutboxNotDurableError,
  QueueFullError,
  WorkerClosedError,
} from './errors.ts'
export type { DeadReason, EndEvent, EventsOptions, JobFailure, ProgressEvent, QueueEvent } from './events.ts'
export type { ChildJob, OnDeadChild, ParentOptions } from './families.ts'
export type { QueueCounts } from './inspect.ts'
export type { ChildOutcome, Job } from './job.ts'
export type { Cancelled, JobInfo, JobResult, LookOptions, ResultOptions } from './job-book.ts'
export type {
  AddOptions,
  BackoffFunction,
  BackoffOptions,
  CloseOptions,
  ProcessOptions,
  QueueDurability,
  QueueOptions,
  QueueRate,
} from './options.ts'
export type { PulledJob } from './pulled.ts'
export type { Queue } from './queue.ts'
export type { RepeatOptions } from './schedule-options.ts'
export type { Missed } from './schedule-slots.ts'
export type { RepeatResult, ScheduleInfo } from './schedules.ts'
export { type InboxOptions, inboxSchema, pruneInbox } from './sql/inbox.ts'
export {
  addToOutbox,
  type OutboxOptions,
  type OutboxRelay,
  type OutboxTarget,
  outboxSchema,
  type RelayOptions,
  relayOutbox,
} from './sql/outbox.ts'
export type { Sql } from './sql/sql.ts'
export type { Worker, WorkerStats } from './worker.ts'
