import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { parseDuration, parseInteger } from '../flags.ts'
import { parseList, trialFlags } from '../on-servers.ts'
import type { BenchFlags } from './bench.ts'

const seconds = parseDuration('--seconds')

export const benchCommand = buildCommand<BenchFlags, [], Context>({
  loader: async () => (await import('./bench.ts')).bench,
  parameters: {
    flags: {
      only: {
        kind: 'parsed',
        parse: parseList,
        brief: 'Some scenarios alone, by id or first word: cache,lock',
        placeholder: 'ids',
        optional: true,
      },
      seconds: {
        kind: 'parsed',
        parse: (words: string) => seconds(/^\d+(\.\d+)?$/.test(words) ? `${words}s` : words),
        brief: 'How long each scenario takes. Default: 2',
        placeholder: 'n',
        optional: true,
      },
      clients: {
        kind: 'parsed',
        parse: parseInteger('--clients', 1, 1_000),
        brief: 'Callers at the same time. Default: 50',
        placeholder: 'n',
        optional: true,
      },
      rate: {
        kind: 'parsed',
        parse: parseInteger('--rate', 1, 1_000_000),
        brief: 'Arrivals a second, for the latency. Default: three tenths of the throughput that was measured',
        placeholder: 'n',
        optional: true,
      },
      ...trialFlags,
    },
  },
  docs: {
    brief: 'What your servers give: throughput beside the client alone, and latency at a fixed rate',
    fullDescription: `Measures nine operations on the servers that --url or REDIS_URL names. Throughput: so many callers, each asks again once answered,
in turns with the client alone. Latency: arrivals at a fixed rate, each measured from when it was due, so that a pause of the server
counts for all who would have come in it.

It loads the servers as far as one process can. All that it makes is in a namespace of its own and is removed at the end, also after
Ctrl-C.

  holdfast bench
  holdfast bench --url redis://127.0.0.1:6379 --only cache,lock --seconds 10 --clients 100
  holdfast bench --private cluster --json`,
  },
})
