import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { parseDuration, parseInteger } from '../flags.ts'
import { spaceFlags } from '../with-holdfast.ts'
import type { StatsFlags } from './stats.ts'

const text = (words: string) => words

export const statsCommand = buildCommand<StatsFlags, string[], Context>({
  loader: async () => (await import('./stats.ts')).stats,
  parameters: {
    flags: {
      window: {
        kind: 'parsed',
        parse: parseDuration('--window'),
        brief: 'How far back, from 1m. Default: 1h',
        placeholder: 'duration',
        optional: true,
      },
      site: {
        kind: 'parsed',
        parse: text,
        brief: 'The figures of hf.analytics(name) in place of the metrics',
        placeholder: 'name',
        optional: true,
      },
      spread: {
        kind: 'parsed',
        parse: parseInteger('--spread', 1, 64),
        brief: 'The `spread` of the site, as the program has it. Default: 1',
        placeholder: 'n',
        optional: true,
      },
      ...spaceFlags,
    },
    positional: {
      kind: 'array',
      parameter: { parse: text, placeholder: 'metric', brief: 'Metrics of hf.monitor. Default: all' },
    },
  },
  docs: {
    brief: 'What hf.monitor and hf.analytics have counted',
    fullDescription: `Figures of all processes: metrics of hf.monitor, or with --site what hf.analytics has counted. Changes nothing.

  holdfast stats --window 1d --namespace shop
  holdfast stats checkout orders --json
  holdfast stats --site site --window 7d`,
  },
})
