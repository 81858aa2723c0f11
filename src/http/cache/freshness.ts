import { type HeaderList, headerOf, parseHttpDate } from '../headers.ts'
import { type Directives, msOf } from './directives.ts'
import type { ResolvedOptions } from './options.ts'
import type { StoredResponse } from './stored.ts'

/** How long a response may be used, and how (RFC 9111, 4.2; RFC 5861). */
export type Lifetime = Pick<StoredResponse, 'ageMs' | 'freshMs' | 'swrMs' | 'sieMs' | 'rule'> & {
  /** True when the response says so itself; false when it lives by the option `ttl`, or by nothing. */
  readonly explicit: boolean
}

/** `askedMs`, `atMs`: when the handler was asked, and when it answered. */
export function lifetimeOf(
  headers: HeaderList,
  directives: Directives,
  options: Pick<ResolvedOptions, 'ttlMs' | 'swrMs' | 'sieMs'>,
  askedMs: number,
  atMs: number,
): Lifetime {
  const said = saidLifetime(headers, directives, atMs)
  const explicit = said !== undefined
  const own = explicit ? { swrMs: 0, sieMs: 0 } : options
  return {
    explicit,
    ageMs: initialAge(headers, askedMs, atMs),
    freshMs: said ?? options.ttlMs ?? 0,
    swrMs: msOf(directives, 'stale-while-revalidate') ?? own.swrMs,
    sieMs: msOf(directives, 'stale-if-error') ?? own.sieMs,
    rule: ruleOf(directives),
  }
}

function saidLifetime(headers: HeaderList, directives: Directives, atMs: number): number | undefined {
  const said = msOf(directives, 's-maxage') ?? msOf(directives, 'max-age')
  if (said !== undefined) return said
  if (directives.get('no-cache') === '') return 0
  const expires = headerOf(headers, 'expires')
  if (expires === undefined) return undefined
  const dateMs = parseHttpDate(headerOf(headers, 'date')) ?? atMs
  // What is no date, such as 0, is one in the past.
  return Math.max(0, (parseHttpDate(expires) ?? 0) - dateMs)
}

function ruleOf(directives: Directives): StoredResponse['rule'] {
  if (directives.get('no-cache') === '') return 'no-cache'
  if (directives.has('must-revalidate') || directives.has('proxy-revalidate')) return 'must'
  return directives.has('s-maxage') ? 'shared' : ''
}

/** How old it was when it came: it may come from another cache (RFC 9111, 4.2.3). */
function initialAge(headers: HeaderList, askedMs: number, atMs: number): number {
  const dateMs = parseHttpDate(headerOf(headers, 'date'))
  const apparent = dateMs === undefined ? 0 : Math.max(0, atMs - dateMs)
  const age = headerOf(headers, 'age')?.split(',')[0]?.trim() ?? ''
  const told = /^\d{1,10}$/.test(age) ? Number(age) * 1_000 + (atMs - askedMs) : 0
  // A Date of this very second is rounded down: that is no age.
  return Math.max(apparent < 1_000 ? 0 : apparent, told)
}

export const ageOf = ({ ageMs, atMs }: Pick<StoredResponse, 'ageMs' | 'atMs'>, nowMs: number): number =>
  ageMs + Math.max(0, nowMs - atMs)

/** fresh: serve it. stale: the client takes it so. behind: serve it, and make it anew. no: the handler must be asked. */
export type Verdict = 'fresh' | 'stale' | 'behind' | 'no'

/** Whether a stored response may answer a request with these directives, now. */
export function judge(stored: StoredResponse, asked: Directives, nowMs: number): Verdict {
  if (stored.rule === 'no-cache' || asked.has('no-cache')) return 'no'
  const ageMs = ageOf(stored, nowMs)
  const leftMs = stored.freshMs - ageMs
  const maxAgeMs = msOf(asked, 'max-age')
  const minFreshMs = msOf(asked, 'min-fresh')
  if (maxAgeMs !== undefined && ageMs > maxAgeMs) return 'no'
  if (minFreshMs !== undefined && leftMs < minFreshMs) return 'no'
  if (leftMs > 0) return maxAgeMs === 0 ? 'no' : 'fresh'
  if (stored.rule === 'must') return 'no'
  if (maxAgeMs === undefined && -leftMs < stored.swrMs) return 'behind'
  const maxStale = asked.get('max-stale')
  if (maxStale === undefined || stored.rule === 'shared') return 'no'
  return maxStale === '' || -leftMs <= (msOf(asked, 'max-stale') as number) ? 'stale' : 'no'
}

/** Whether it may be served because the handler failed. */
export function mayServeOnError(stored: StoredResponse, asked: Directives, nowMs: number): boolean {
  if (stored.rule === 'must' || stored.rule === 'no-cache' || asked.has('no-cache')) return false
  const staleMs = ageOf(stored, nowMs) - stored.freshMs
  const allowedMs = Math.max(stored.sieMs, stored.rule === 'shared' ? 0 : (msOf(asked, 'stale-if-error') ?? 0))
  return staleMs < allowedMs
}

/** How long it is of any use from when it came: fresh, stale, or to be asked about. */
export function retentionMs({ ageMs, freshMs, swrMs, sieMs, rule, asks }: StoredResponse): number {
  const staleMs = rule === 'must' || rule === 'no-cache' ? 0 : Math.max(swrMs, sieMs)
  return Math.max(1, freshMs - ageMs + Math.max(staleMs, asks ? Math.max(freshMs, ASKED_ABOUT_MS) : 0))
}

/** How long a stale response is kept at least when the handler can say whether it still holds. */
const ASKED_ABOUT_MS = 60_000
