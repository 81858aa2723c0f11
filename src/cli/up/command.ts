import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { outputFlags, parseInteger } from '../flags.ts'
import type { UpFlags } from './up.ts'

const no = { kind: 'boolean', default: false, withNegated: false } as const

export const upCommand = buildCommand<UpFlags, [], Context>({
  loader: async () => (await import('./up.ts')).up,
  parameters: {
    flags: {
      cluster: { ...no, brief: 'A Cluster of three primaries, each with its replicas' },
      sentinel: { ...no, brief: 'A primary, its replicas, and three Sentinels' },
      shards: {
        kind: 'parsed',
        parse: parseInteger('--shards', 1, 100),
        brief: 'So many independent servers',
        placeholder: 'n',
        optional: true,
      },
      port: {
        kind: 'parsed',
        parse: parseInteger('--port', 1, 65_535),
        brief: 'Port of the first server; the others follow. Default: free ones',
        placeholder: 'n',
        optional: true,
      },
      replicas: {
        kind: 'parsed',
        parse: parseInteger('--replicas', 0, 10),
        brief: 'Replicas of each primary. Default: 1 in a Cluster, 2 under Sentinel',
        placeholder: 'n',
        optional: true,
      },
      spares: {
        kind: 'parsed',
        parse: parseInteger('--spares', 0, 100),
        brief: 'Servers beside the Cluster, to be added to it. Default: 0',
        placeholder: 'n',
        optional: true,
      },
      announce: { ...no, brief: 'Announce names that nothing resolves, to try an address map with' },
      ...outputFlags,
    },
  },
  docs: {
    brief: 'Start private servers for development, until Ctrl-C',
    fullDescription: `Starts private servers on 127.0.0.1, says how to connect, and stops them at Ctrl-C or SIGTERM.
Their data is in a private folder and goes with them. Needs redis-server or valkey-server on the PATH.

  holdfast up
  holdfast up --cluster --spares 2 --port 7001
  holdfast up --sentinel --json`,
  },
})
