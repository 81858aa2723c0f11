import type { Algorithm, LimiterOptions } from 'holdfast'

export const LIMIT = 1_000
/** Each admits exactly `LIMIT`; of `gcra` and `bucket`, whose room comes back evenly, none comes back within the test. */
const rule = (algorithm: Algorithm) => ({ limit: LIMIT, per: '30d', algorithm }) as const

export const RACES: Readonly<Record<string, LimiterOptions>> = {
  gcra: { rules: [rule('gcra')] },
  bucket: { rules: [rule('bucket')] },
  fixed: { rules: [rule('fixed')] },
  log: { rules: [rule('log')] },
  concurrency: { rules: [rule('concurrency')] },
  mixed: { rules: [rule('fixed'), { limit: 100_000, per: '1d' }, { limit: 100_000, per: '1d', algorithm: 'sliding' }] },
  remembered: { rules: [rule('fixed')], rememberRefusals: true },
}
