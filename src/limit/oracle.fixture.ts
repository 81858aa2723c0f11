import type { Algorithm } from './rules.ts'

/** A rule as the oracle sees it; whole numbers of µs and of cost, and no state but what happened. */
export interface OracleRule {
  readonly algorithm: Algorithm
  readonly limit: number
  readonly perUs: number
  readonly most: number
}

interface Admitted {
  readonly atUs: number
  cost: number
}

/** What one rule must do, in a few lines each, from the list of what was admitted. */
class OracleOfRule {
  readonly rule: OracleRule
  #events: Admitted[] = []
  /** Of `fixed`. */
  #windowUs = 0
  /** Of `gcra` and `bucket`: tokens, in units of which one token is `per`. */
  #tokens: bigint
  #atUs = 0
  /** Of `concurrency`: by permit, its weight and when it ends. */
  readonly #permits = new Map<number, { weight: number; endsUs: number }>()

  constructor(rule: OracleRule) {
    this.rule = rule
    this.#tokens = BigInt(rule.most) * BigInt(rule.perUs)
  }

  fits(cost: number, nowUs: number): boolean {
    const { algorithm, limit, perUs, most } = this.rule
    switch (algorithm) {
      case 'fixed':
        return this.#inWindow(nowUs) + cost <= limit
      case 'gcra':
      case 'bucket':
        return this.#tokensAt(nowUs) >= BigInt(cost) * BigInt(perUs)
      case 'sliding': {
        const [past, current] = [this.#ofWindow(nowUs, 1), this.#ofWindow(nowUs, 0)]
        const leftOfPast = BigInt(past) * BigInt(perUs - (nowUs % perUs))
        return leftOfPast + BigInt(current + cost) * BigInt(perUs) <= BigInt(limit) * BigInt(perUs)
      }
      case 'log':
        return this.#since(nowUs - perUs) + cost <= limit
      case 'concurrency':
        return this.#out(nowUs) + cost <= most
    }
  }

  take(cost: number, nowUs: number, permit: number): void {
    const { algorithm, perUs } = this.rule
    if (algorithm === 'fixed' && this.#inWindow(nowUs) === 0) {
      this.#windowUs = nowUs
      this.#events = []
    }
    if (algorithm === 'gcra' || algorithm === 'bucket') {
      this.#tokens = this.#tokensAt(nowUs) - BigInt(cost) * BigInt(perUs)
      this.#atUs = nowUs
    }
    if (algorithm === 'concurrency') this.#permits.set(permit, { weight: cost, endsUs: nowUs + perUs })
    else this.#events.push({ atUs: nowUs, cost })
  }

  refund(cost: number, nowUs: number): void {
    const { algorithm, perUs } = this.rule
    if (algorithm === 'gcra' || algorithm === 'bucket') {
      this.#tokens = this.#tokensAt(nowUs) + BigInt(cost) * BigInt(perUs)
      this.#atUs = nowUs
      this.#tokens = this.#tokensAt(nowUs)
      return
    }
    const from = { fixed: this.#windowUs, sliding: nowUs - (nowUs % perUs) - perUs, log: 0, concurrency: Infinity }[
      algorithm
    ]
    let left = cost
    for (const event of this.#events.toReversed()) {
      if (event.atUs < from) break
      const taken = Math.min(left, event.cost)
      event.cost -= taken
      left -= taken
    }
  }

  release(permit: number): void {
    this.#permits.delete(permit)
  }

  holds(permit: number, nowUs: number): boolean {
    return (this.#permits.get(permit)?.endsUs ?? 0) > nowUs
  }

  extend(permit: number, nowUs: number): void {
    const held = this.#permits.get(permit)
    if (held !== undefined) held.endsUs = nowUs + this.rule.perUs
  }

  #inWindow(nowUs: number): number {
    return nowUs >= this.#windowUs + this.rule.perUs ? 0 : this.#since(this.#windowUs - 1)
  }

  #ofWindow(nowUs: number, ago: number): number {
    const window = Math.floor(nowUs / this.rule.perUs) - ago
    return sum(this.#events.filter(({ atUs }) => Math.floor(atUs / this.rule.perUs) === window))
  }

  #since(us: number): number {
    return sum(this.#events.filter(({ atUs }) => atUs > us))
  }

  #tokensAt(nowUs: number): bigint {
    const { limit, perUs, most } = this.rule
    const full = BigInt(most) * BigInt(perUs)
    const filled = this.#tokens + BigInt(nowUs - this.#atUs) * BigInt(limit)
    return filled < full ? filled : full
  }

  #out(nowUs: number): number {
    return [...this.#permits.values()].reduce((all, { weight, endsUs }) => all + (endsUs > nowUs ? weight : 0), 0)
  }
}

const sum = (events: readonly Admitted[]): number => events.reduce((all, { cost }) => all + cost, 0)

/** What a limiter must do for one id. */
export class Oracle {
  readonly #rules: readonly OracleRule[]
  #of: readonly OracleOfRule[] = []
  #blockedUs = 0
  /** Every call that was admitted, refunded or not. */
  admitted: { readonly atUs: number; readonly cost: number }[] = []

  constructor(rules: readonly OracleRule[]) {
    this.#rules = rules
    this.reset()
  }

  fits(cost: number, nowUs: number): boolean {
    return nowUs >= this.#blockedUs && this.#of.every((rule) => rule.fits(cost, nowUs))
  }

  consume(cost: number, nowUs: number, permit: number): boolean {
    if (!this.fits(cost, nowUs)) return false
    if (cost > 0) {
      for (const rule of this.#of) rule.take(cost, nowUs, permit)
      this.admitted.push({ atUs: nowUs, cost })
    }
    return true
  }

  refund(cost: number, nowUs: number): void {
    for (const rule of this.#of) rule.refund(cost, nowUs)
  }

  release(permit: number): void {
    for (const rule of this.#of) rule.release(permit)
  }

  extend(permit: number, nowUs: number): boolean {
    const gives = this.#of.filter(({ rule }) => rule.algorithm === 'concurrency')
    if (!gives.every((rule) => rule.holds(permit, nowUs))) return false
    for (const rule of gives) rule.extend(permit, nowUs)
    return true
  }

  block(untilUs: number): void {
    this.#blockedUs = untilUs
  }

  reset(): void {
    this.#of = this.#rules.map((rule) => new OracleOfRule(rule))
    this.#blockedUs = 0
  }
}
