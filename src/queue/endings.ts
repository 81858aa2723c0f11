import type { Delivery } from '../stream/consumer-lease.ts'
import type { Ending } from '../stream/settlements.ts'
import { GiveUp } from './errors.ts'
import type { DeadReason, EndEvent } from './events.ts'
import { delayBefore, legible, readFailure, writeFailure } from './failure.ts'
import { optionsOf } from './job.ts'
import type { ResolvedQueue } from './options.ts'

export const doneOf = ({ envelope: { isNamed, id, group = '' } }: Delivery): Ending =>
  isNamed || group !== '' ? { op: 'done', named: isNamed ? id : '', group } : PLAIN_DONE

const PLAIN_DONE: Ending = { op: 'done', named: '', group: '' }

/** What becomes of a job whose attempt failed. What was thrown is `legible`. */
export function failedOf(queue: ResolvedQueue, delivery: Delivery, error: unknown): Ending {
  const used = delivery.envelope.used + delivery.deliveries
  const dead = (reason: DeadReason): Ending => ({ op: 'dead', used, reason, error: writeFailure(error) })
  if (error instanceof GiveUp || (error as Error | undefined)?.name === 'GiveUp') return dead('given-up')
  if (error instanceof PayloadFault) return { op: 'dead', used, reason: 'payload', error: writeFailure(error.cause) }
  if (error instanceof ChildFault) return dead('child')
  const own = optionsOf(delivery)
  if (used >= (own.attempts ?? queue.attempts)) return dead('attempts')
  try {
    return { op: 'retry', used, delayMs: delayBefore(own.backoff ?? queue.backoff, used, error) }
  } catch (thrown) {
    // The user's backoff: without a wait to go by, the job goes where somebody looks at it.
    return { op: 'dead', used, reason: 'attempts', error: writeFailure(legible(thrown)) }
  }
}

/** What is told of an end that counts; `thrown`: what a failed attempt ended with. */
export function endEventOf(delivery: Delivery, ending: Ending, tookMs: number, thrown?: unknown): EndEvent {
  const { envelope, deliveries } = delivery
  const known = { id: envelope.id, attempt: envelope.used + deliveries, tookMs: Math.round(tookMs) }
  if (ending.op === 'dead') {
    const reason = ending.reason as DeadReason
    return { type: 'dead', ...known, reason, error: readFailure(ending.error) }
  }
  if (ending.op !== 'retry') return { type: 'done', ...known }
  return { type: 'failed', ...known, retryInMs: ending.delayMs, error: readFailure(writeFailure(thrown)) }
}

/** As `failedOf`, but nobody says that it failed: the next attempt need not wait. */
export function forgottenOf(queue: ResolvedQueue, delivery: Delivery, error: unknown): Ending {
  const ending = failedOf(queue, delivery, error)
  return ending.op === 'retry' ? { ...ending, delayMs: 0 } : ending
}

/** What becomes of a job that was to begin earlier; undefined where it may begin. It is one that never began: what did, or was redriven, is stamped. */
export function expiredOf(delivery: Delivery): { readonly ending: Ending; readonly error: Error } | undefined {
  const { envelope, deliveries, fence } = delivery
  if (envelope.options === '' || envelope.addedAtMs !== undefined || deliveries > 1) return undefined
  const { expiresAtMs } = optionsOf(delivery)
  // A fence is the moment at which the job was given, in µs of the server's clock.
  if (expiresAtMs === undefined || Number(fence / 1_000n) <= expiresAtMs) return undefined
  const error = new Error(`it was to begin before ${new Date(expiresAtMs).toISOString()}`)
  return { ending: { op: 'dead', used: 0, reason: 'expired', error: writeFailure(error) }, error }
}

/** A child that it waits for is dead. */
export class ChildFault extends Error {
  override readonly name = 'ChildDied'

  constructor(child: string, reason: string, why = '') {
    super(`its child '${child}' is dead, by reason of '${reason}'${why === '' ? '' : `: ${why}`}`)
  }
}

/** Its payload will not be better next time. */
export class PayloadFault extends Error {
  constructor(cause: unknown) {
    super('the payload cannot be used', { cause })
  }
}

/** Back after a while, as if this attempt had not been. */
export const deferredOf = ({ envelope: { used } }: Delivery, delayMs: number): Ending => ({
  op: 'retry',
  used,
  delayMs,
})

export const HANDED_BACK: Ending = { op: 'back' }
