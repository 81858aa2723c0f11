/** Which faults somebody has to know of. */

import { HoldfastError } from 'holdfast'

/** Redis was away, or a lease ended meanwhile: work in the background goes on by itself, and its job runs again. */
export function isPassing(error: unknown): boolean {
  return error instanceof HoldfastError && (error.retryable || error.code === 'JOB_LEASE_LOST')
}
