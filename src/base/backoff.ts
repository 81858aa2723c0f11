/**
 * The wait before try number `attempt` (0 is the first repeat): doubles from `baseMs` up to `maxMs`, and any moment
 * of that span's second half is as likely, so that callers who failed together do not come back together.
 *
 * source  Brooker, Exponential Backoff and Jitter, 2015
 */
export function backoffMs(attempt: number, baseMs: number, maxMs: number): number {
  const span = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30))
  return Math.max(1, Math.round(span * (0.5 + Math.random() / 2)))
}
