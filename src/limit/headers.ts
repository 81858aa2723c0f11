import { checkOneOf } from '../base/check.ts'
import type { RuleFigures } from './figures.ts'
import type { Turn } from './turn.ts'

/**
 * - `draft-11`: draft-ietf-httpapi-ratelimit-headers since -08: every rule by its name
 * - `draft-7`: one rule in one field
 * - `draft-6`: one rule, a field for each figure
 * - `legacy`: as `draft-6`, with `X-`
 */
export type HeadersVersion = 'draft-11' | 'draft-7' | 'draft-6' | 'legacy'

export interface HeadersOptions {
  /** Default `'draft-11'`. */
  readonly version?: HeadersVersion
}

type Headers = Readonly<Record<string, string>>

/** What each version says of a turn. A version that is added becomes a row here. */
const WRITERS: Readonly<Record<HeadersVersion, (turn: Turn) => Headers>> = {
  'draft-11': ({ rules }) => ({
    'RateLimit-Policy': rules.map((rule) => `${quoted(rule.name)};q=${rule.limit}${unit(rule)}`).join(', '),
    RateLimit: rules.map((rule) => `${quoted(rule.name)};r=${rule.remaining};t=${seconds(resetOf(rule))}`).join(', '),
  }),
  'draft-7': (turn) => ({
    'RateLimit-Policy': policyOf(turn),
    RateLimit: `limit=${turn.limit}, remaining=${turn.remaining}, reset=${seconds(untilMore(turn))}`,
  }),
  'draft-6': (turn) => ({
    'RateLimit-Policy': policyOf(turn),
    'RateLimit-Limit': String(turn.limit),
    'RateLimit-Remaining': String(turn.remaining),
    'RateLimit-Reset': String(seconds(untilMore(turn))),
  }),
  legacy: (turn) => ({
    'X-RateLimit-Limit': String(turn.limit),
    'X-RateLimit-Remaining': String(turn.remaining),
    'X-RateLimit-Reset': String(seconds(untilMore(turn))),
  }),
}

/**
 * A turn as HTTP headers; a refused one has `Retry-After` too. All times are whole seconds, rounded up, so that nobody comes back too
 * early, and `Retry-After` is never earlier than what the other headers say of the rule that refuses.
 */
export function rateLimitHeaders(turn: Turn, options: HeadersOptions = {}): Headers {
  const version = checkOneOf('version', options.version ?? 'draft-11', Object.keys(WRITERS) as HeadersVersion[])
  const headers = WRITERS[version](turn)
  if (turn.allowed) return headers
  return { ...headers, 'Retry-After': String(Math.max(1, seconds(turn.retryAfterMs))) }
}

const seconds = (ms: number): number => Math.ceil(ms / 1_000)

/** A name as a structured field's string. */
const quoted = (name: string): string => `"${name.replace(/["\\]/g, '\\$&')}"`

function unit({ algorithm, perMs }: RuleFigures): string {
  return algorithm === 'concurrency' ? ';qu="concurrent-requests"' : `;w=${seconds(perMs)}`
}

/** When there is more than `remaining`: where nothing is left, when one may come back. */
const resetOf = ({ allowed, retryAfterMs, resetMs }: RuleFigures): number => (allowed ? resetMs : retryAfterMs)
const untilMore = ({ allowed, retryAfterMs, resetMs }: Turn): number => (allowed ? resetMs : retryAfterMs)

const policyOf = ({ rules }: Turn): string => rules.map(({ limit, perMs }) => `${limit};w=${seconds(perMs)}`).join(', ')
