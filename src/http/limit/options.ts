import { checkFunction, checkInteger, checkKnown, checkOneOf } from '../../base/check.ts'
import { ConfigError } from '../../base/errors.ts'
import type { HeadersVersion, Limiter } from '../../limit/index.ts'

type MayWait<T> = T | Promise<T>

/** What was answered to a request. */
export interface Answered {
  readonly status: number
  readonly headers: Headers
}

/** `Args`: what the framework hands a handler that says who asks, such as `[request]`. */
export interface LimitRequestsOptions<Args extends readonly unknown[]> {
  /**
   * Who is counted: the id that the limiter is asked with. Default: the client's address as the framework knows it, as `ipKey` writes
   * it. What a client writes himself, such as a header or a log-in name, he can change with each request.
   */
  key?(...request: Args): MayWait<string>
  /** How much a request costs. Default 1. */
  readonly cost?: number | ((...request: Args) => MayWait<number>)
  /** Limits of this caller, by the names of the limiter's rules. Default: the rules' own. */
  limits?(...request: Args): MayWait<Readonly<Record<string, number>> | undefined>
  /** True: this request is neither counted nor refused. */
  skip?(...request: Args): MayWait<boolean>
  /**
   * True: what the request cost is given back, once its handler has answered so. `({ status }) => status < 400` counts failures alone. Not
   * asked where the client left before there was an answer: that counts. Permits are given back in any case.
   */
  refundIf?(response: Answered, ...request: Args): boolean
  /** How responses tell of the limits, as `rateLimitHeaders` does; `false`: by `Retry-After` of a refusal alone. Default `'draft-11'`. */
  readonly headers?: HeadersVersion | false
  /** Leading bits of an IPv6 address that count, where `key` is not given. Default 56. */
  readonly ipv6Prefix?: number
}

/** The same, called with whatever the door has. */
export interface ResolvedLimitOptions {
  readonly key: ((...request: readonly unknown[]) => MayWait<string>) | undefined
  readonly cost: number | ((...request: readonly unknown[]) => MayWait<number>)
  readonly limits:
    | ((...request: readonly unknown[]) => MayWait<Readonly<Record<string, number>> | undefined>)
    | undefined
  readonly skip: ((...request: readonly unknown[]) => MayWait<boolean>) | undefined
  readonly refundIf: ((response: Answered, ...request: readonly unknown[]) => boolean) | undefined
  readonly headers: HeadersVersion | false
  readonly ipv6Prefix: number
}

const KNOWN = ['key', 'cost', 'limits', 'skip', 'refundIf', 'headers', 'ipv6Prefix', 'refuse']
const VERSIONS: readonly HeadersVersion[] = ['draft-11', 'draft-7', 'draft-6', 'legacy']

/** `refuse` is the door's own; here it is only known by its name. */
export function resolveLimitOptions<Args extends readonly unknown[]>(
  options: LimitRequestsOptions<Args> & { readonly refuse?: unknown } = {},
): ResolvedLimitOptions {
  checkKnown('', options, KNOWN)
  const { cost = 1, headers = 'draft-11', key, ipv6Prefix } = options
  if (typeof cost !== 'function') checkInteger('cost', cost, 0, 1e12)
  if (key !== undefined && ipv6Prefix !== undefined)
    throw new ConfigError('ipv6Prefix', 'nothing where `key` says who is counted', ipv6Prefix)
  for (const name of ['key', 'limits', 'skip', 'refundIf', 'refuse'] as const)
    checkFunction(name, options[name] as (() => unknown) | undefined)
  const { limits, skip, refundIf } = options
  return {
    ...({ key, cost, limits, skip, refundIf } as unknown as ResolvedLimitOptions),
    headers: headers === false ? false : checkOneOf('headers', headers, VERSIONS),
    ipv6Prefix: checkInteger('ipv6Prefix', ipv6Prefix ?? 56, 1, 128),
  }
}

export function checkLimiter(limiter: unknown): Limiter {
  const isLimiter =
    typeof limiter === 'object' &&
    limiter !== null &&
    (['consume', 'refund'] as const).every((verb) => typeof (limiter as Limiter)[verb] === 'function')
  if (!isLimiter) throw new ConfigError('limiter', 'a limiter made by hf.limiter(…)', limiter)
  return limiter as Limiter
}
