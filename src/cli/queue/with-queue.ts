import { connect, Holdfast } from '../../holdfast.ts'
import type { Queue } from '../../queue/index.ts'
import { queueShape, type Shape, unknownQueue } from '../../queue/inspect.ts'
import type { Redis } from '../../redis/redis.ts'
import type { Context } from '../context.ts'
import { connectOptions, type ServerFlags } from '../flags.ts'

export interface NamespaceFlags extends ServerFlags {
  readonly namespace?: string | undefined
}

export interface OpenQueue {
  readonly queue: Queue
  readonly redis: Redis
  readonly name: string
  readonly shape: Shape
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

/**
 * Opens a queue as it is kept in Redis.
 *
 * fresh   what it is like where it is not there yet; without it, an unknown name is refused, and those that are there are named
 */
export function withQueue<T>(
  context: Context,
  flags: NamespaceFlags,
  name: string,
  work: (open: OpenQueue) => Promise<T>,
  fresh?: Shape,
): Promise<T> {
  return withServer(context, flags, async (hf, redis) => {
    const shape = (await queueShape(redis, name)) ?? fresh
    if (shape === undefined) throw await unknownQueue(redis, name)
    return work({ queue: hf.queue(name, { ...shape }), redis, name, shape })
  })
}
