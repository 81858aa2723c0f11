export { Breaker, type BreakerChange, type BreakerStats } from './breaker.ts'
export { BreakerOpenError } from './errors.ts'
export type { BreakerOptions, RunOptions as BreakerRunOptions } from './options.ts'
export type { Cause as BreakerCause, CircuitState as BreakerState } from './rules.ts'
