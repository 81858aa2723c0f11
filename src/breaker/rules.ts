/** When a breaker opens, for how long, and what it looks at. Resolved: what is off is 0. */
export interface Rules {
  /** So many failed calls in a row; 0: no such rule. */
  readonly failures: number
  /** Of the calls in the window, the share that failed, above 0 to 1; 0: no such rule. */
  readonly failureRate: number
  /** Of the calls in the window, the share that took longer than `slowMs`; 0: no such rule. */
  readonly slowRate: number
  readonly slowMs: number
  /** Calls that the window must hold before a share of it counts. */
  readonly minCalls: number
  readonly windowMs: number
  readonly cooldownMs: number
}

export type CircuitState = 'closed' | 'open' | 'half-open'

/** Why a circuit changed. `'fleet'`: this process follows the shared one. */
export type Cause =
  | 'failures'
  | 'failure-rate'
  | 'slow-calls'
  | 'cooldown'
  | 'trial-failed'
  | 'trial-succeeded'
  | 'trip'
  | 'reset'
  | 'fleet'

/** How a call ended. `'left'`: nobody waited for it any more, so it says nothing of what was called. */
export type Verdict = 'ok' | 'failed' | 'left'

/** What is counted of a window, or of a row. */
export interface Counts {
  readonly calls: number
  readonly failed: number
  readonly slow: number
  /** Failed calls since the last that did not. */
  readonly row: number
}

/** Which rule says that it is enough; undefined where none does. */
export function brokenRule(rules: Rules, { calls, failed, slow, row }: Counts): Cause | undefined {
  if (rules.failures > 0 && row >= rules.failures) return 'failures'
  if (calls < rules.minCalls || calls === 0) return undefined
  if (rules.failureRate > 0 && failed / calls >= rules.failureRate) return 'failure-rate'
  if (rules.slowRate > 0 && slow / calls >= rules.slowRate) return 'slow-calls'
  return undefined
}
