import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { parseInteger, serverFlags } from '../flags.ts'
import type { MetricsFlags } from './metrics.ts'

export const metricsCommand = buildCommand<MetricsFlags, [], Context>({
  loader: async () => (await import('./metrics.ts')).metrics,
  parameters: {
    flags: {
      listen: {
        kind: 'parsed',
        parse: parseInteger('--listen', 0, 65_535),
        brief: 'Serve them on this port of 127.0.0.1, at /metrics, until Ctrl-C. 0: a free one',
        placeholder: 'port',
        optional: true,
      },
      ...serverFlags,
    },
  },
  docs: {
    brief: 'What the servers say of themselves, for Prometheus',
    fullDescription: `Figures of every server, by the names of redis_exporter, as Prometheus reads them: once, or with --listen for a scraper on this machine.

  holdfast metrics --url redis://127.0.0.1:6379
  holdfast metrics --listen 9121`,
  },
})
