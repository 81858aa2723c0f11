import { expect, it } from 'vitest'
import type { RuleFigures } from './figures.ts'
import { rateLimitHeaders } from './headers.ts'
import { Turn } from './turn.ts'

const rule = (name: string, over: Partial<RuleFigures> = {}): RuleFigures => ({
  ...{ name, algorithm: 'gcra', allowed: true, limit: 10, remaining: 4, perMs: 1_000, retryAfterMs: 0, resetMs: 601 },
  ...over,
})
const turnOf = (...rules: RuleFigures[]) =>
  new Turn(rules, { allowed: rules.every(({ allowed }) => allowed), source: 'redis' })
const refused = turnOf(
  rule('1s'),
  rule('1h', {
    allowed: false,
    limit: 1_000,
    remaining: 0,
    perMs: 3_600_000,
    retryAfterMs: 59_001,
    resetMs: 3_000_000,
  }),
)

it('names every rule, with whole seconds rounded up', () => {
  expect(rateLimitHeaders(turnOf(rule('1s')))).toEqual({
    'RateLimit-Policy': '"1s";q=10;w=1',
    RateLimit: '"1s";r=4;t=1',
  })
  expect(rateLimitHeaders(refused)).toEqual({
    'RateLimit-Policy': '"1s";q=10;w=1, "1h";q=1000;w=3600',
    RateLimit: '"1s";r=4;t=1, "1h";r=0;t=60',
    'Retry-After': '60',
  })
})

it('quotes names, rounds short windows up, and says what is at a time', () => {
  const turn = turnOf(rule('a"b\\c', { perMs: 250 }), rule('slots', { algorithm: 'concurrency', resetMs: 0 }))
  expect(rateLimitHeaders(turn)).toEqual({
    'RateLimit-Policy': '"a\\"b\\\\c";q=10;w=1, "slots";q=10;qu="concurrent-requests"',
    RateLimit: '"a\\"b\\\\c";r=4;t=1, "slots";r=4;t=0',
  })
})

it('knows the older forms, by the rule that decides', () => {
  expect(rateLimitHeaders(refused, { version: 'draft-7' })).toEqual({
    'RateLimit-Policy': '10;w=1, 1000;w=3600',
    RateLimit: 'limit=1000, remaining=0, reset=60',
    'Retry-After': '60',
  })
  expect(rateLimitHeaders(refused, { version: 'draft-6' })).toEqual({
    'RateLimit-Policy': '10;w=1, 1000;w=3600',
    'RateLimit-Limit': '1000',
    'RateLimit-Remaining': '0',
    'RateLimit-Reset': '60',
    'Retry-After': '60',
  })
  expect(rateLimitHeaders(refused, { version: 'legacy' })).toEqual({
    'X-RateLimit-Limit': '1000',
    'X-RateLimit-Remaining': '0',
    'X-RateLimit-Reset': '60',
    'Retry-After': '60',
  })
  expect(() => rateLimitHeaders(refused, { version: 'draft-99' as never })).toThrow(/version/)
})

it('never sends anybody back at once', () => {
  const soon = turnOf(rule('1s', { allowed: false, remaining: 0, retryAfterMs: 1 }))
  expect(rateLimitHeaders(soon)['Retry-After']).toBe('1')
})
