import { HoldfastError } from '../base/errors.ts'

/** A consumer's lease ended, or may have: others work on what it had, and what it says of that is refused. */
export class LogLeaseLostError extends HoldfastError {
  static override readonly kind = 'LogLeaseLostError'

  readonly log: string
  readonly group: string

  constructor(log: string, group: string, why: string) {
    super('LOG_LEASE_LOST', `log '${log}', group '${group}': ${why}; others may work on the same entries now`)
    this.log = log
    this.group = group
  }
}

/** The group was removed while this process worked on it: its workers have ended, and what their handlers answer is heard by nobody. */
export class LogGroupRemovedError extends HoldfastError {
  static override readonly kind = 'LogGroupRemovedError'

  readonly log: string
  readonly group: string

  constructor(log: string, group: string) {
    super('LOG_GROUP_REMOVED', `log '${log}': the group '${group}' was removed, and its worker has ended`)
    this.log = log
    this.group = group
  }
}

/** A handler took longer than `timeout`: its entries count as failed, whatever it answers later. */
export class LogHandlerTimeoutError extends HoldfastError {
  static override readonly kind = 'LogHandlerTimeoutError'

  readonly log: string
  readonly group: string
  readonly timeoutMs: number

  constructor(log: string, group: string, timeoutMs: number) {
    super('LOG_HANDLER_TIMEOUT', `log '${log}', group '${group}': its handler gave no answer within ${timeoutMs} ms`)
    this.log = log
    this.group = group
    this.timeoutMs = timeoutMs
  }
}

/** Entries between the last one read and the next one are gone. */
export class LogGapError extends HoldfastError {
  static override readonly kind = 'LogGapError'

  readonly log: string
  /** The id of the last entry before the gap. */
  readonly after: string
  /** How many are missing. */
  readonly missing: number

  constructor(log: string, after: string, missing: number) {
    super('STREAM_LOST', `log '${log}': ${missing} entries after ${after} were trimmed before they were read`)
    this.log = log
    this.after = after
    this.missing = missing
  }
}
