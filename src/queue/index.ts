export type { Handler, JobContext } from './attempt.ts'
export type {
  DeadLetter,
  DeadLettersOptions,
  DeadSelection,
  RedriveOptions,
  RedriveResult,
} from './dead-letters.ts'
export type { DeadReason } from './endings.ts'
export { GiveUp, JobLeaseLostError, JobTimeoutError, QueueFullError, WorkerClosedError } from './errors.ts'
export type { JobFailure } from './failure.ts'
export type { QueueCounts } from './inspect.ts'
export type { Job } from './job.ts'
export type {
  AddOptions,
  BackoffFunction,
  BackoffOptions,
  CloseOptions,
  ProcessOptions,
  QueueOptions,
} from './options.ts'
export type { PulledJob } from './pulled.ts'
export type { AddedJob, Queue } from './queue.ts'
export type { Worker, WorkerStats } from './worker.ts'
