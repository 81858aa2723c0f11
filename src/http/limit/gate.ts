import { ConfigError } from '../../base/errors.ts'
import { ipKey, type Limiter } from '../../limit/index.ts'
import { checkLimiter, type LimitRequestsOptions, type ResolvedLimitOptions, resolveLimitOptions } from './options.ts'
import { Passage } from './passage.ts'

/** What each door asks of each request before its handler: who it is, what it costs, and whether he may. */
export class Gate {
  readonly #limiter: Limiter
  readonly #options: ResolvedLimitOptions

  constructor(limiter: unknown, options: LimitRequestsOptions<never> | undefined) {
    this.#limiter = checkLimiter(limiter)
    this.#options = resolveLimitOptions(options)
  }

  /**
   * request  what the user's functions are called with
   * address  the client's, as the framework knows it; undefined where it knows none
   * returns  undefined for a request that is skipped
   * throws   what `consume` throws, and what the user's functions throw
   */
  async ask(request: readonly unknown[], address: () => string | undefined): Promise<Passage | undefined> {
    const { key, cost: price, limits: limitsOf, skip, refundIf, headers } = this.#options
    if (skip !== undefined && (await skip(...request))) return undefined
    const id = key === undefined ? this.#addressKey(address()) : await key(...request)
    const cost = typeof price === 'function' ? await price(...request) : price
    const limits = await limitsOf?.(...request)
    const turn = await this.#limiter.consume(id, limits === undefined ? { cost } : { cost, limits })
    const wantsRefund = refundIf && ((response: Parameters<typeof refundIf>[0]) => refundIf(response, ...request))
    return new Passage(this.#limiter, { id, cost, limits }, turn, headers, wantsRefund)
  }

  #addressKey(address: string | undefined): string {
    if (address === undefined)
      throw new ConfigError('key', 'a function, since nobody knows the address of this client', undefined)
    return ipKey(address, { ipv6Prefix: this.#options.ipv6Prefix })
  }
}
