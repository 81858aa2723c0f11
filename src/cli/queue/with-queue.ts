import { ConfigError } from '../../base/errors.ts'
import { connect, Holdfast } from '../../holdfast.ts'
import type { Queue } from '../../queue/index.ts'
import { countShards } from '../../queue/inspect.ts'
import type { Redis } from '../../redis/redis.ts'
import type { Context } from '../context.ts'
import { connectOptions, type ServerFlags } from '../flags.ts'

export interface NamespaceFlags extends ServerFlags {
  readonly namespace?: string | undefined
}

export interface QueueFlags extends NamespaceFlags {
  readonly shards?: number | undefined
}

export interface OpenQueue {
  readonly queue: Queue
  readonly redis: Redis
  readonly name: string
  readonly shards: number
}

export async function withServer<T>(
  context: Context,
  flags: NamespaceFlags,
  work: (hf: Holdfast, redis: Redis) => Promise<T>,
): Promise<T> {
  const { url, ...options } = connectOptions(context, flags)
  const { namespace } = flags
  const all = { timeout: '2s', ...options, ...(namespace === undefined ? {} : { namespace }) } as const
  const hf = await connect(url, { ...all, name: 'holdfast-cli' })
  try {
    return await work(hf, Holdfast.redisOf(hf))
  } finally {
    await hf.close()
  }
}

/** `isNew`: it need not be there yet. */
export function withQueue<T>(
  context: Context,
  flags: QueueFlags,
  name: string,
  work: (open: OpenQueue) => Promise<T>,
  isNew = false,
): Promise<T> {
  return withServer(context, flags, async (hf, redis) => {
    const used = await countShards(redis, name)
    if (used === 0 && !isNew)
      throw new ConfigError('queue', `a queue of the namespace '${redis.keyspace.namespace}' that was used`, name)
    const shards = Math.max(used, flags.shards ?? 1)
    return work({ queue: hf.queue(name, { shards }), redis, name, shards })
  })
}
