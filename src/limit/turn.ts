import type { RuleFigures } from './figures.ts'

/**
 * Who answered: `redis`; `memory`: a refusal that this process remembers; `local`: the limiter of this process alone, and `down`: nobody, so
 * that `whenDown` decided.
 */
export type TurnSource = 'redis' | 'memory' | 'local' | 'down'

/** What `consume` gives back through the turn. */
export interface Permit {
  release(): Promise<void>
  extend(): Promise<boolean>
}

/** What was answered, beside what follows from the rules. */
export interface Verdict {
  readonly allowed: boolean
  readonly source: TurnSource
  readonly blocked?: boolean
  /** For a verdict that is not of the rules. */
  readonly retryAfterMs?: number
  readonly permit?: Permit | undefined
}

/** The answer to one call. The figures are those of the rule that decides: of those that refuse, the one that refuses the longest; else the one with the least left. */
export class Turn implements AsyncDisposable {
  readonly allowed: boolean
  /** What could still be admitted now. */
  readonly remaining: number
  readonly limit: number
  /** When to come back; 0 when allowed. */
  readonly retryAfterMs: number
  /** When the whole limit is there again, if nothing else is admitted. */
  readonly resetMs: number
  /** The name of the rule that decides. */
  readonly rule: string
  /** Every rule, in their order. */
  readonly rules: readonly RuleFigures[]
  /** True while the id is blocked by `block()`. */
  readonly blocked: boolean
  readonly source: TurnSource
  readonly #permit: Permit | undefined

  /** @internal */
  constructor(rules: readonly RuleFigures[], verdict: Verdict) {
    const decides = decidingRule(rules)
    this.allowed = verdict.allowed
    this.remaining = verdict.blocked ? 0 : decides.remaining
    this.limit = decides.limit
    this.retryAfterMs = verdict.retryAfterMs ?? (verdict.allowed ? 0 : decides.retryAfterMs)
    this.resetMs = Math.max(decides.resetMs, verdict.blocked ? this.retryAfterMs : 0)
    this.rule = decides.name
    this.rules = rules
    this.blocked = verdict.blocked ?? false
    this.source = verdict.source
    this.#permit = verdict.permit
  }

  /** Gives the permits of this call back; without a rule of `concurrency`, or when they are gone already, it does nothing. */
  async release(): Promise<void> {
    await this.#permit?.release()
  }

  /** Keeps the permits for another `per`. False when they are gone: somebody else may have them. */
  async extend(): Promise<boolean> {
    return this.#permit === undefined ? this.allowed : this.#permit.extend()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }
}

function decidingRule(rules: readonly RuleFigures[]): RuleFigures {
  let decides = rules[0] as RuleFigures
  for (const rule of rules) {
    if (
      rule.allowed !== decides.allowed
        ? decides.allowed
        : rule.allowed
          ? rule.remaining < decides.remaining
          : rule.retryAfterMs > decides.retryAfterMs
    )
      decides = rule
  }
  return decides
}
