import type { Duration } from '../../base/duration.ts'
import { type ChangeFlags, changeFlags, parseDuration, type ServerFlags, serverFlags } from '../flags.ts'

export interface ClusterChangeFlags extends ServerFlags, ChangeFlags {
  readonly wait?: Duration | undefined
}

export const clusterChangeFlags = {
  ...serverFlags,
  ...changeFlags,
  wait: {
    kind: 'parsed',
    parse: parseDuration('--wait'),
    brief: 'How long the nodes may take to agree. Default: 60s',
    placeholder: 'duration',
    optional: true,
  },
} as const
