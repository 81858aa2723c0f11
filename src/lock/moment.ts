import { monotonicMs } from '../base/clock.ts'

/**
 * A moment by two clocks. The steady one stands still while a machine is suspended, the wall clock can be set: what has passed is the
 * greater of what they say, so that each covers for the other. A wall clock that is set forward ends a lease early, which is safe.
 */
export interface Moment {
  readonly steadyMs: number
  readonly wallMs: number
}

export const momentNow = (): Moment => ({ steadyMs: monotonicMs(), wallMs: Date.now() })

export const sinceMs = (moment: Moment): number => Math.max(monotonicMs() - moment.steadyMs, Date.now() - moment.wallMs)

export const later = (moment: Moment, ms: number): Moment => ({
  steadyMs: moment.steadyMs + ms,
  wallMs: moment.wallMs + ms,
})

export const earlier = (one: Moment, other: Moment): Moment => ({
  steadyMs: Math.min(one.steadyMs, other.steadyMs),
  wallMs: Math.min(one.wallMs, other.wallMs),
})

/**
 * How much earlier than the server a holder takes its lease to be over: a tenth, at most a second, and at least a hundredth. It covers
 * clocks that run at different pace, and a timer that is late.
 */
export const marginMs = (leaseMs: number): number => Math.max(Math.min(leaseMs / 10, 1_000), leaseMs / 100 + 2)
