import type { State } from './figures.ts'
import type { Bounds, Rule } from './rules.ts'

/** Most ids that are kept; the one that was seen first goes first. */
const MOST_IDS = 10_000

interface Memory {
  state: State
  /** Of `log` who was admitted, of `concurrency` who has permits: by token, or by a number. */
  readonly kept: Map<string | number, { readonly atUs: number; readonly amount: number }>
}

export interface LocalAnswer {
  readonly allowed: boolean
  readonly bounds: readonly Bounds[]
  readonly states: readonly State[]
}

/**
 * The limiter of one process alone, for while Redis cannot be asked: the same rules, each with this process's share of its limit. It
 * begins with nothing admitted, and nothing of it is told to Redis later.
 */
export class LocalLimiter {
  readonly #rules: readonly Rule[]
  readonly #share: number
  readonly #ids = new Map<string, readonly Memory[]>()
  #count = 0

  constructor(rules: readonly Rule[], share: number) {
    this.#rules = rules
    this.#share = share
  }

  /** Admits a cost by all rules or none; `commit` false only looks. */
  take(
    id: string,
    wanted: readonly Bounds[],
    cost: number,
    token: string,
    nowUs: number,
    commit: boolean,
  ): LocalAnswer {
    const bounds = wanted.map(({ limit, most }) => ({ limit: this.#shareOf(limit), most: this.#shareOf(most) }))
    const memories = this.#ids.get(id) ?? this.#rules.map((): Memory => ({ state: [0, 0, 0], kept: new Map() }))
    const states = this.#rules.map((rule, i) => settle(rule, bounds[i] as Bounds, memories[i] as Memory, nowUs, cost))
    const allowed = this.#rules.every((rule, i) => fits(rule, bounds[i] as Bounds, states[i] as State, nowUs, cost))
    if (!allowed || !commit || cost === 0) return { allowed, bounds, states }
    const after = this.#rules.map((rule, i) =>
      admit(rule, memories[i] as Memory, states[i] as State, nowUs, cost, token || this.#count++),
    )
    this.#ids.set(id, memories)
    if (this.#ids.size > MOST_IDS) this.#ids.delete(this.#ids.keys().next().value as string)
    return { allowed, bounds, states: after }
  }

  /** Gives the permits of a token back. */
  release(id: string, token: string): void {
    for (const { kept } of this.#ids.get(id) ?? []) kept.delete(token)
  }

  forget(id: string): void {
    this.#ids.delete(id)
  }

  forgetAll(): void {
    this.#ids.clear()
  }

  #shareOf(limit: number): number {
    return Math.max(1, Math.floor(limit * this.#share))
  }
}

/** A rule's state as of now. */
function settle(
  { algorithm, perUs: per }: Rule,
  { limit, most }: Bounds,
  memory: Memory,
  now: number,
  cost: number,
): State {
  const [x, y, z] = memory.state
  switch (algorithm) {
    case 'fixed':
      return y === 0 || now >= x + per ? [now, 0, 0] : [x, y, 0]
    case 'gcra':
    case 'bucket':
      return [now, Math.max(0, y - (now - x) * limit), 0]
    case 'sliding': {
      const window = now - (now % per)
      return x === window ? [x, y, z] : [window, 0, x === window - per ? y : 0]
    }
    case 'log':
    case 'concurrency':
      return settleKept(algorithm === 'log' ? per : 0, most, memory, now, cost)
  }
}

/** What is kept runs out `per` after its moment: of permits, that is the moment itself. */
function settleKept(per: number, most: number, { kept }: Memory, now: number, cost: number): State {
  let used = 0
  let last = 0
  for (const [key, { atUs, amount }] of kept) {
    if (atUs + per <= now) kept.delete(key)
    else {
      used += amount
      last = Math.max(last, atUs)
    }
  }
  if (used + cost <= most) return [used, 0, last]
  let left = used
  for (const { atUs, amount } of [...kept.values()].sort((a, b) => a.atUs - b.atUs)) {
    left -= amount
    if (left + cost <= most) return [used, atUs + per, last]
  }
  return [used, now + per, last]
}

function fits({ algorithm, perUs: per }: Rule, { most }: Bounds, [x, y, z]: State, now: number, cost: number): boolean {
  switch (algorithm) {
    case 'fixed':
      return y + cost <= most
    case 'gcra':
    case 'bucket':
      return y + cost * per <= most * per
    case 'sliding':
      return z * (per - (now - x)) + (y + cost) * per <= most * per
    case 'log':
    case 'concurrency':
      return x + cost <= most
  }
}

function admit(
  { algorithm, perUs: per }: Rule,
  memory: Memory,
  [x, y, z]: State,
  now: number,
  cost: number,
  key: string | number,
): State {
  switch (algorithm) {
    case 'fixed':
    case 'sliding':
      memory.state = [x, y + cost, z]
      return memory.state
    case 'gcra':
    case 'bucket':
      memory.state = [x, y + cost * per, 0]
      return memory.state
    case 'log':
      memory.kept.set(key, { atUs: now, amount: cost })
      return [x + cost, 0, now]
    case 'concurrency':
      memory.kept.set(key, { atUs: now + per, amount: cost })
      return [x + cost, 0, now + per]
  }
}
