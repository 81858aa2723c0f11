import { ConfigError } from '../base/errors.ts'
import type { ConnectOptions } from '../holdfast.ts'
import type { Context } from './context.ts'
import { connectOptions, type ServerFlags, serverFlags } from './flags.ts'
import { startPrivate } from './up/servers.ts'

const KINDS = ['standalone', 'cluster', 'sentinel', 'shards'] as const
type Kind = (typeof KINDS)[number]

/** Where the servers are that a verb tries out; or that it starts some of its own. */
export interface TrialFlags extends ServerFlags {
  readonly private?: Kind | undefined
}

export const trialFlags = {
  private: {
    kind: 'parsed',
    parse: parseKind,
    brief: 'Start servers of its own in place of --url: standalone, cluster, sentinel or shards. Default: standalone',
    placeholder: 'kind',
    inferEmpty: true,
    optional: true,
  },
  ...serverFlags,
} as const

function parseKind(words: string): Kind {
  const kind = words === '' ? 'standalone' : words
  if (!KINDS.includes(kind as Kind)) throw new ConfigError('--private', KINDS.join(', '), words)
  return kind as Kind
}

/** Words with commas between them. */
export const parseList = (words: string): readonly string[] =>
  words
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')

/** Runs `work` on the servers that the flags and the environment name, or on private ones that end with it. */
export async function onServers<T>(
  context: Context,
  flags: TrialFlags,
  work: (place: ConnectOptions) => Promise<T>,
): Promise<T> {
  const { private: kind, url, timeout = '2s' } = flags
  if (kind === undefined) return work({ timeout, ...connectOptions(context, flags) })
  if (url !== undefined) throw new ConfigError('--private', 'no --url beside it', kind)
  const running = await startPrivate({
    ...{ cluster: kind === 'cluster', sentinel: kind === 'sentinel' },
    ...(kind === 'shards' ? { shards: 3 } : {}),
  })
  try {
    return await work({ timeout, url: running.url })
  } finally {
    await running.stop()
  }
}
