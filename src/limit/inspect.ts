import type { Redis } from '../redis/redis.ts'
import { LimitKeys } from './keys.ts'

/** What a limiter did in this process since it was made. */
export interface LimiterStats {
  readonly allowed: number
  readonly refused: number
  /** Refused without asking, because a refusal was remembered. */
  readonly remembered: number
  /** Answered without Redis, because it could not be asked. */
  readonly withoutRedis: number
}

/** What is kept of one id, as it is stored. */
export interface LimitRecord {
  /** Until when nobody is admitted, in ms of the server's clock; undefined without a block. */
  readonly blockedUntilMs: number | undefined
  /** By the field of a rule (`f1000000`), its three numbers; see `lua/parts/rule.lua`. */
  readonly states: ReadonlyMap<string, readonly number[]>
}

/** What is kept of an id in the hash of its rules; undefined where there is nothing. */
export async function inspectLimit(redis: Redis, name: string, id: string): Promise<LimitRecord | undefined> {
  const state = new LimitKeys(redis.keyspace, name).state(id)
  const options = { operation: 'limit.inspect', repeat: true, bytes: true }
  const reply = (await redis.call(state, 'HGETALL', [state], options)) as readonly Buffer[]
  if (reply.length === 0) return undefined
  const states = new Map<string, readonly number[]>()
  let blockedUntilMs: number | undefined
  for (let i = 0; i < reply.length; i += 2) {
    const [field, value] = [String(reply[i]), reply[i + 1] as Buffer]
    if (field === 'blocked') blockedUntilMs = Math.ceil(Number(value) / 1_000)
    else if (field !== 'until')
      states.set(
        field,
        [0, 8, 16].map((at) => value.readDoubleLE(at)),
      )
  }
  return { blockedUntilMs, states }
}
