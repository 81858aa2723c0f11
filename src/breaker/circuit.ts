import { brokenRule, type Cause, type CircuitState, type Counts, type Rules, type Verdict } from './rules.ts'
import { Window } from './window.ts'

/** The right to make one call; to be handed back with how it ended. */
export interface Ticket {
  /** What ended before the circuit changed says nothing of how it stands now. */
  readonly era: number
  readonly trial: boolean
}

export type Admission =
  | { readonly admitted: true; readonly ticket: Ticket }
  | { readonly admitted: false; readonly retryAfterMs: number }

export type OnChange = (from: CircuitState, to: CircuitState, cause: Cause) => void

/**
 * The decisions of a breaker, as of a clock that is handed in: it waits for nothing and calls nobody.
 *
 *     closed ── a rule is broken ──► open ── cooldown is over ──► half-open ── the trial succeeds ──► closed
 *                                      ▲                              │
 *                                      └──────── the trial fails ─────┘
 *
 * Half-open, one call is tried. One that does not end within a cooldown gives its place to another, and counts no more.
 */
export class Circuit {
  readonly #rules: Rules
  readonly #now: () => number
  readonly #onChange: OnChange
  readonly #window: Window
  #row = 0
  #era = 0
  /** Until when nobody is admitted; undefined while it is closed. */
  #openUntilMs: number | undefined
  /** Until when the trial has its place; undefined where there is none. */
  #trialUntilMs: number | undefined
  #isHalfOpen = false

  constructor(rules: Rules, now: () => number, onChange: OnChange = () => {}) {
    this.#rules = rules
    this.#now = now
    this.#onChange = onChange
    this.#window = new Window(rules.windowMs)
  }

  get state(): CircuitState {
    if (this.#openUntilMs === undefined) return 'closed'
    return this.#now() < this.#openUntilMs ? 'open' : 'half-open'
  }

  get counts(): Counts {
    return { ...this.#window.totals(this.#now()), row: this.#row }
  }

  /** How long nobody will be admitted; 0 where somebody would be now. */
  get retryAfterMs(): number {
    const until = Math.max(this.#openUntilMs ?? 0, this.#trialUntilMs ?? 0)
    return Math.max(0, Math.ceil(until - this.#now()))
  }

  admit(): Admission {
    if (this.#openUntilMs === undefined) return { admitted: true, ticket: { era: this.#era, trial: false } }
    const retryAfterMs = this.retryAfterMs
    return retryAfterMs > 0 ? { admitted: false, retryAfterMs } : { admitted: true, ticket: this.beginTrial() }
  }

  /** Lets one call try, whoever has decided so. */
  beginTrial(): Ticket {
    const nowMs = this.#now()
    this.#openUntilMs = Math.min(this.#openUntilMs ?? nowMs, nowMs)
    this.#trialUntilMs = nowMs + this.#rules.cooldownMs
    this.#enterHalfOpen('cooldown')
    return { era: ++this.#era, trial: true }
  }

  #enterHalfOpen(cause: Cause): void {
    if (this.#isHalfOpen) return
    this.#isHalfOpen = true
    this.#onChange('open', 'half-open', cause)
  }

  /**
   * A call has ended.
   *
   * judge  whether the rules are asked at once; where another decides, only what happened is counted. Default true
   */
  end(ticket: Ticket, verdict: Verdict, slow: boolean, judge = true): void {
    if (ticket.era !== this.#era) return
    if (ticket.trial) {
      this.#trialUntilMs = undefined
      this.#era++
      if (verdict === 'left') return
      const isBad = verdict === 'failed' || (slow && this.#rules.slowRate > 0)
      if (isBad) this.open(this.#rules.cooldownMs, 'trial-failed')
      else this.close('trial-succeeded')
      return
    }
    if (verdict === 'left') return
    this.#row = verdict === 'failed' ? this.#row + 1 : 0
    this.#window.count(verdict === 'failed', slow, this.#now())
    if (judge) this.judge()
  }

  /** Opens if a rule is broken by now. */
  judge(): void {
    if (this.#openUntilMs !== undefined) return
    const cause = brokenRule(this.#rules, this.counts)
    if (cause !== undefined) this.open(this.#rules.cooldownMs, cause)
  }

  open(forMs: number, cause: Cause): void {
    const from = this.#shown
    this.#forget()
    this.#openUntilMs = this.#now() + forMs
    if (from !== 'open') this.#onChange(from, 'open', cause)
  }

  close(cause: Cause): void {
    const from = this.#shown
    this.#forget()
    this.#openUntilMs = undefined
    if (from !== 'closed') this.#onChange(from, 'closed', cause)
  }

  /** The fleet says that it is closed; knows of the same already, it goes on counting. */
  agreeClosed(): void {
    if (this.#openUntilMs !== undefined) this.close('fleet')
  }

  /** The fleet says that it is open for so long yet. */
  agreeOpen(forMs: number): void {
    if (this.#shown !== 'open') return this.open(forMs, 'fleet')
    this.#openUntilMs = this.#now() + forMs
  }

  /** The fleet says that it is half-open; `forMs`: how long somebody tries yet, 0 for nobody. */
  agreeHalfOpen(forMs: number): void {
    const nowMs = this.#now()
    if (this.#openUntilMs === undefined) this.open(0, 'fleet')
    this.#openUntilMs = Math.min(this.#openUntilMs ?? nowMs, nowMs)
    this.#trialUntilMs = forMs > 0 ? nowMs + forMs : undefined
    this.#enterHalfOpen('fleet')
  }

  /** As was told last: time alone makes no event. */
  get #shown(): CircuitState {
    return this.#openUntilMs === undefined ? 'closed' : this.#isHalfOpen ? 'half-open' : 'open'
  }

  #forget(): void {
    this.#era++
    this.#row = 0
    this.#window.clear()
    this.#trialUntilMs = undefined
    this.#isHalfOpen = false
  }
}
