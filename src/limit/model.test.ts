import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Key } from '../redis/keyspace.ts'
import { Redis } from '../redis/redis.ts'
import { resolveSettings } from '../redis/settings.ts'
import { startServer, type TestServer, testNamespace } from '../testing/index.ts'
import { ClockedRedis } from './clock.fixture.ts'
import { Limiter } from './limiter.ts'
import { type RuleOptions, resolveLimiterOptions } from './options.ts'
import { Oracle } from './oracle.fixture.ts'
import type { Algorithm, Rule } from './rules.ts'
import type { Turn } from './turn.ts'

const ALGORITHMS: readonly Algorithm[] = ['gcra', 'bucket', 'fixed', 'sliding', 'log', 'concurrency']
/** Long, so that no key ends by the real clock in the course of a test. */
const PERIODS = [60_000, 90_000, 3_600_000]

let server: TestServer
let redis: Redis
let clocked: ClockedRedis
let limiters = 0

beforeAll(async () => {
  server = await startServer()
  redis = new Redis(resolveSettings(server.url, { namespace: testNamespace('limit'), timeout: '10s' }))
  await redis.connect()
  clocked = new ClockedRedis(redis)
})
afterAll(async () => {
  await redis.close()
  await server.stop()
})

const ruleOf = (algorithms: readonly Algorithm[]): fc.Arbitrary<RuleOptions> =>
  fc
    .record({
      algorithm: fc.constantFrom(...algorithms),
      limit: fc.integer({ min: 1, max: 9 }),
      per: fc.constantFrom(...PERIODS),
      burst: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
    })
    .map(({ burst, ...rule }) =>
      burst !== undefined && (rule.algorithm === 'gcra' || rule.algorithm === 'bucket') ? { ...rule, burst } : rule,
    )

/** A pause, as a share of the first rule's `per`, and µs beside it. */
const pause = fc.oneof(
  { weight: 4, arbitrary: fc.constant([0, 0] as const) },
  { weight: 4, arbitrary: fc.tuple(fc.integer({ min: 0, max: 20 }), fc.constantFrom(-1, 0, 1, 333)) },
  { weight: 1, arbitrary: fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 5_000_000 })) },
)
const step = fc.record({
  pause,
  do: fc.oneof(
    { weight: 12, arbitrary: fc.constant('consume' as const) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('refund' as const, 'release' as const, 'release' as const, 'extend' as const),
    },
    { weight: 1, arbitrary: fc.constantFrom('refund' as const, 'peek' as const, 'block' as const, 'reset' as const) },
  ),
  cost: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(4) }),
  pick: fc.nat(20),
})
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

class Run {
  readonly limiter: Limiter
  readonly oracle: Oracle
  readonly #rules: readonly Rule[]
  readonly #most: number
  readonly #turns: Turn[] = []
  readonly id: string

  constructor(rules: readonly RuleOptions[]) {
    const options = resolveLimiterOptions({ rules })
    this.#rules = options.rules
    this.id = `id-${limiters++}`
    this.limiter = new Limiter(clocked.redis, 'model', options)
    const oracleRules = options.rules.map(({ algorithm, limit, perUs, burst }) => {
      const of = limit as number
      return { algorithm, limit: of, perUs, most: burst ?? of }
    })
    this.oracle = new Oracle(oracleRules)
    this.#most = Math.min(...oracleRules.map(({ most }) => most))
  }

  async take({ pause: [share, us], do: verb, cost: wanted, pick }: Step): Promise<void> {
    clocked.nowUs += Math.max(0, Math.floor(((this.#rules[0]?.perUs ?? 0) * share) / 10) + us)
    const cost = Math.min(wanted, this.#most)
    const { limiter, oracle, id } = this
    const { nowUs } = clocked
    const turn = this.#turns[pick % Math.max(1, this.#turns.length)]
    if (verb === 'consume') {
      const expected = oracle.consume(cost, nowUs, this.#turns.length)
      const got = await limiter.consume(id, { cost })
      expect(got.allowed, JSON.stringify(got)).toBe(expected)
      if (cost > 0) this.#turns.push(got)
      await this.#checkFigures(got, cost)
    } else if (verb === 'peek') expect((await limiter.peek(id, { cost })).allowed).toBe(oracle.fits(cost, nowUs))
    else if (verb === 'refund') {
      oracle.refund(cost, nowUs)
      await limiter.refund(id, cost)
    } else if (verb === 'release' && turn !== undefined) {
      oracle.release(this.#turns.indexOf(turn))
      await turn.release()
    } else if (verb === 'extend' && turn !== undefined && this.#gives && turn.allowed) await this.#extend(turn)
    else if (verb === 'block') {
      oracle.block(nowUs + pick * 1_000_000)
      await limiter.block(id, pick * 1_000)
    } else if (verb === 'reset') {
      oracle.reset()
      await limiter.reset(id)
    }
    await this.#checkLives()
  }

  get #gives(): boolean {
    return this.#rules.some(({ algorithm }) => algorithm === 'concurrency')
  }

  async #extend(turn: Turn): Promise<void> {
    const permit = this.#turns.indexOf(turn)
    expect(await turn.extend()).toBe(this.oracle.extend(permit, clocked.nowUs))
  }

  /** What remains is what fits, and a refusal says when it will be over: not earlier, and not a ms later. */
  async #checkFigures(turn: Turn, cost: number): Promise<void> {
    const { nowUs } = clocked
    if (!turn.blocked) {
      const least = Math.min(...turn.rules.map(({ remaining }) => remaining))
      if (least <= this.#most) expect(this.oracle.fits(least, nowUs)).toBe(true)
      if (least < this.#most) expect(this.oracle.fits(least + 1, nowUs)).toBe(false)
    }
    if (turn.allowed) return
    expect(turn.retryAfterMs).toBeGreaterThan(0)
    if (turn.blocked) return
    expect(this.oracle.fits(cost, nowUs + turn.retryAfterMs * 1_000), 'when it may come back').toBe(true)
    expect(this.oracle.fits(cost, nowUs + (turn.retryAfterMs - 1) * 1_000), 'a ms earlier').toBe(false)
  }

  /** No key without a life, and none that ends before what it says is void. */
  async #checkLives(): Promise<void> {
    const { state, more } = keysOf(this.#rules, this.id)
    const lives = await Promise.all(
      [state, ...more].map(
        (key) => redis.call(key, 'PTTL', [key], { operation: 'test', repeat: true }) as Promise<number>,
      ),
    )
    for (const life of lives) expect(life).not.toBe(-1)
    const { rules, blocked } = await this.limiter.peek(this.id)
    if (blocked) return
    rules.forEach(({ algorithm, resetMs, remaining }, i) => {
      const own = algorithm === 'log' || algorithm === 'concurrency'
      const key = own ? `${state}:${this.#rules[i]?.field}` : state
      const life = lives[[state, ...more].indexOf(key as Key)] as number
      // By how much the test itself may have been behind.
      if (remaining < (this.#rules[i]?.burst ?? (this.#rules[i]?.limit as number)))
        expect(life).toBeGreaterThan(resetMs - 5_000)
    })
  }
}

const keysOf = (rules: readonly Rule[], id: string) => {
  const state = redis.keyspace.entity('limit', 'model', id)
  const own = rules.filter(({ algorithm }) => algorithm === 'log' || algorithm === 'concurrency')
  return { state, more: own.map(({ field }) => `${state}:${field}` as Key) }
}

async function play(rules: readonly RuleOptions[], plan: readonly Step[]): Promise<Run> {
  const run = new Run(rules)
  clocked.nowUs += 1_000_000_007
  for (const one of plan) await run.take(one)
  return run
}

const plan = fc.array(step, { minLength: 15, maxLength: 50 })

describe.each(ALGORITHMS)('%s', (algorithm) => {
  it('does what the oracle does, and says when a refusal is over to the ms', async () => {
    await fc.assert(
      fc.asyncProperty(ruleOf([algorithm]), plan, async (rule, steps) => void (await play([rule], steps))),
      { numRuns: 25, seed: 20_261_121 },
    )
  })
})

it('does what the oracle does with two to four rules of any mix: all of them, or none', async () => {
  const rules = fc.array(ruleOf(ALGORITHMS), { minLength: 2, maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(rules, plan, async (some, steps) => void (await play(some, steps))),
    { numRuns: 60, seed: 20_261_121 },
  )
})

/** What may be admitted in any span of `per`, by an algorithm of `limit` and nothing given back. */
const BOUND: Readonly<Record<Exclude<Algorithm, 'concurrency'>, (limit: number) => number>> = {
  log: (limit) => limit,
  fixed: (limit) => 2 * limit,
  sliding: (limit) => 2 * limit,
  gcra: (limit) => 2 * limit,
  bucket: (limit) => 2 * limit,
}

describe.each(Object.keys(BOUND) as (keyof typeof BOUND)[])('%s', (algorithm) => {
  it('admits no more in any span of its period than is promised', async () => {
    const onlyConsume = plan.map((steps) => steps.map((one) => ({ ...one, do: 'consume' as const })))
    const limit = fc.integer({ min: 1, max: 9 })
    await fc.assert(
      fc.asyncProperty(limit, onlyConsume, async (most, steps) => {
        const run = await play([{ limit: most, per: '1m', algorithm }], steps)
        const { admitted } = run.oracle
        for (const { atUs: from } of admitted) {
          const inSpan = admitted.filter(({ atUs }) => atUs >= from && atUs < from + 60_000_000)
          expect(inSpan.reduce((all, { cost }) => all + cost, 0)).toBeLessThanOrEqual(BOUND[algorithm](most))
        }
      }),
      { numRuns: 15, seed: 20_261_121 },
    )
  })
})
