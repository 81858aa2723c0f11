import { setTimeout as wait } from 'node:timers/promises'
import { ConfigError, HoldfastError } from '../base/errors.ts'

/** A group of servers did not come to rest in time. `missing` is what was still missing at the end. */
export class NotSettledError extends HoldfastError {
  static override readonly kind = 'NotSettledError'
  readonly missing: string
  /** What was asked for was asked: it may still happen. */
  readonly sent = true

  constructor(operation: string, timeoutMs: number, missing: string) {
    super('TIMEOUT', `${operation}: not within ${timeoutMs} ms; at the end: ${missing}`, { retryable: true })
    this.missing = missing
  }
}

/** Thrown by a look that has to be taken again; the message is what is missing. */
export class NotYet extends Error {}

/** Servers answer in well under a millisecond, and what is waited for takes their timers' 100 ms. */
const PAUSE_MS = 15

/**
 * Look until it is as it should be.
 *
 * look    answers, or throws NotYet; an error of a server (down, still loading) counts as not yet too
 * throws  NotSettledError with what was missing last; ConfigError, and what is no error of ours, at once
 */
export async function settle<T>(operation: string, timeoutMs: number, look: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    try {
      return await look()
    } catch (error) {
      if (!passes(error)) throw error
      if (performance.now() >= deadline) throw new NotSettledError(operation, timeoutMs, error.message)
    }
    await wait(PAUSE_MS)
  }
}

function passes(error: unknown): error is Error {
  if (error instanceof NotYet) return true
  return error instanceof HoldfastError && !(error instanceof ConfigError) && error.code !== 'CONNECTION_CLOSED'
}
