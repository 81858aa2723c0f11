import { HoldfastError } from '../base/errors.ts'

/** A job's lease ended, or may have: another may run it by now, and whatever its handler does is refused. */
export class JobLeaseLostError extends HoldfastError {
  static override readonly kind = 'JobLeaseLostError'

  readonly queue: string
  readonly jobId: string

  constructor(queue: string, jobId: string, why: string, cause?: unknown) {
    super('JOB_LEASE_LOST', `queue '${queue}': the lease of job '${jobId}' is lost: ${why}`, { cause })
    this.queue = queue
    this.jobId = jobId
  }
}

/** A handler took longer than the job's `timeout`. */
export class JobTimeoutError extends HoldfastError {
  static override readonly kind = 'JobTimeoutError'

  readonly queue: string
  readonly jobId: string
  readonly timeoutMs: number

  constructor(queue: string, jobId: string, timeoutMs: number) {
    super('JOB_TIMEOUT', `queue '${queue}': job '${jobId}' took longer than ${timeoutMs} ms`, { retryable: true })
    this.queue = queue
    this.jobId = jobId
    this.timeoutMs = timeoutMs
  }
}

/** Reason of a running job's end by `queue.cancel`, told to its handler by its signal. */
export class JobCancelledError extends HoldfastError {
  static override readonly kind = 'JobCancelledError'

  readonly queue: string
  readonly jobId: string

  constructor(queue: string, jobId: string) {
    super('JOB_CANCELLED', `queue '${queue}': job '${jobId}' was cancelled`)
    this.queue = queue
    this.jobId = jobId
  }
}

/** There are as many jobs as `maxLength` allows. */
export class QueueFullError extends HoldfastError {
  static override readonly kind = 'QueueFullError'

  readonly queue: string
  readonly maxLength: number
  /** Jobs of the call that were added all the same, in their order. */
  readonly added: readonly string[]

  constructor(queue: string, maxLength: number, added: readonly string[]) {
    const some = added.length === 0 ? 'nothing was added' : `${added.length} of the call were added`
    super('QUEUE_FULL', `queue '${queue}': it has its ${maxLength} jobs; ${some}`, { retryable: true })
    this.queue = queue
    this.maxLength = maxLength
    this.added = added
  }
}

/** A row of an outbox became a job, and nobody can say that it would outlive the server: so the row is kept. */
export class OutboxNotDurableError extends HoldfastError {
  static override readonly kind = 'OutboxNotDurableError'

  readonly queue: string
  readonly jobId: string

  constructor(queue: string, jobId: string) {
    const why = `job '${jobId}' is added and has not reached the durability that was asked for, so its row stays`
    super('OUTBOX_NOT_DURABLE', `queue '${queue}': ${why}`)
    this.queue = queue
    this.jobId = jobId
  }
}

/** Thrown by a handler that knows that trying again is of no use: the job goes to the dead letters at once. */
export class GiveUp extends Error {
  override readonly name = 'GiveUp'

  constructor(message = 'given up by its handler', options?: ErrorOptions) {
    super(message, options)
  }
}

/** Reason of a worker's or a process's end, told to handlers by their signals. */
export class WorkerClosedError extends HoldfastError {
  static override readonly kind = 'WorkerClosedError'

  constructor(queue: string, jobId: string) {
    super('WORKER_CLOSED', `queue '${queue}': the worker is closed, and job '${jobId}' was handed back`)
  }
}

/** There is no room for more, in a queue or on a server. */
export function isFull(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code
  return code === 'QUEUE_FULL' || code === 'SERVER_FULL'
}
