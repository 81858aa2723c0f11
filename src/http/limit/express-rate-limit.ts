import { checkKnown, checkName } from '../../base/check.ts'
import { ConfigError } from '../../base/errors.ts'
import type { Holdfast } from '../../holdfast.ts'
import type { Limiter, Turn } from '../../limit/index.ts'

export interface ExpressRateLimitOptions {
  /** Sets the counts of one limit apart from those of others: each needs its own. Default `'rl'`. */
  readonly prefix?: string
}

/** The verbs of a store that express-rate-limit calls. */
export interface ExpressRateLimitStore {
  /** What sets its keys apart. */
  readonly prefix: string
  /** False: the counts are those of all processes. */
  readonly localKeys: false
  init(options: { readonly windowMs: number }): void
  get(key: string): Promise<{ totalHits: number; resetTime: Date | undefined } | undefined>
  increment(key: string): Promise<{ totalHits: number; resetTime: Date | undefined }>
  decrement(key: string): Promise<void>
  resetKey(key: string): Promise<void>
  /** Looks at every key of every server, beside other callers' commands. */
  resetAll(): Promise<void>
}

/** express-rate-limit compares the count with a limit that it does not tell its store; this one nobody reaches. */
const ANY_LIMIT = 1e12

/**
 * A store for express-rate-limit: `rateLimit({ windowMs, limit, store: expressRateLimitStore(hf) })`.
 *
 * promise  counts of one window are exact for all processes, on one primary; a window begins with the first request and ends by the
 *          server's clock. Each call ends within the instance's `timeout`: without Redis it rejects, and `passOnStoreError` decides
 * costs    one script, one round trip
 */
export function expressRateLimitStore(
  hf: Pick<Holdfast, 'limiter'>,
  options: ExpressRateLimitOptions = {},
): ExpressRateLimitStore {
  if (typeof hf?.limiter !== 'function') throw new ConfigError('hf', 'an instance made by connect(…)', hf)
  checkKnown('', options, ['prefix'])
  return new HoldfastRateLimitStore(hf, checkName('prefix', options.prefix ?? 'rl'))
}

class HoldfastRateLimitStore implements ExpressRateLimitStore {
  readonly prefix: string
  readonly localKeys = false
  readonly #hf: Pick<Holdfast, 'limiter'>
  #limiter: Limiter | undefined

  constructor(hf: Pick<Holdfast, 'limiter'>, prefix: string) {
    this.#hf = hf
    this.prefix = prefix
  }

  init({ windowMs }: { readonly windowMs: number }): void {
    this.#limiter = this.#hf.limiter(this.prefix, {
      rules: [{ limit: ANY_LIMIT, per: windowMs, algorithm: 'fixed' }],
    })
  }

  async get(key: string): Promise<{ totalHits: number; resetTime: Date | undefined } | undefined> {
    const turn = await this.#counting.peek(key, { cost: 0 })
    const info = infoOf(turn)
    return info.totalHits === 0 ? undefined : info
  }

  async increment(key: string): Promise<{ totalHits: number; resetTime: Date | undefined }> {
    return infoOf(await this.#counting.consume(key))
  }

  async decrement(key: string): Promise<void> {
    await this.#counting.refund(key)
  }

  async resetKey(key: string): Promise<void> {
    await this.#counting.reset(key)
  }

  async resetAll(): Promise<void> {
    await this.#counting.clear()
  }

  get #counting(): Limiter {
    if (this.#limiter === undefined)
      throw new ConfigError('store', 'a store that was handed to rateLimit({ … })', undefined)
    return this.#limiter
  }
}

function infoOf({ blocked, remaining, resetMs }: Turn): { totalHits: number; resetTime: Date } {
  // Who is blocked is beyond every limit.
  const totalHits = blocked ? Number.MAX_SAFE_INTEGER : ANY_LIMIT - remaining
  return { totalHits, resetTime: new Date(Date.now() + resetMs) }
}
