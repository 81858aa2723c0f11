/** Why a job is dead. `payload`: it cannot be read, or does not fit the schema. `expired`: it did not begin in time. `child`: one that it waited for is. */
export type DeadReason = 'attempts' | 'given-up' | 'payload' | 'expired' | 'child' | 'crash'

/** What is kept of an error whose job is dead. */
export interface JobFailure {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
}

interface Ended {
  readonly id: string
  /** 1 for the first. */
  readonly attempt: number
  /** How long its handler took, in ms of this process' clock; of a job of `take()`, since it was taken. */
  readonly tookMs: number
}

/** How an attempt ended, once the server knows it. */
export type EndEvent =
  | (Ended & { readonly type: 'done' })
  /** It is tried again, so much later. */
  | (Ended & { readonly type: 'failed'; readonly error: JobFailure | undefined; readonly retryInMs: number })
  | (Ended & { readonly type: 'dead'; readonly error: JobFailure | undefined; readonly reason: DeadReason })

/** What its handler said of a job. */
export interface ProgressEvent {
  readonly type: 'progress'
  readonly id: string
  readonly value: unknown
}

/** What became of a job, as `queue.events()` tells it. */
export type QueueEvent = (EndEvent | ProgressEvent) & {
  /** Its place: `events({ since })` goes on behind it. */
  readonly cursor: string
  /** When it was told, in ms of the server's clock. */
  readonly atMs: number
}

export interface EventsOptions {
  /** Behind which event to begin: its `cursor`, or `'first'` for all that are kept. Default: what is told from now on. */
  readonly since?: string
  /** Ends it by an error, the signal's reason. */
  readonly signal?: AbortSignal
}

/** Whoever is to be told. */
export type Tell<E> = ((event: E) => void) | undefined

/** One that tells both. */
export function both<E>(one: Tell<E>, other: Tell<E>): Tell<E> {
  if (one === undefined || other === undefined) return one ?? other
  return (event) => {
    one(event)
    other(event)
  }
}
