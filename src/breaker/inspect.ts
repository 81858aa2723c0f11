import type { Redis } from '../redis/redis.ts'
import { breakerKey } from './keys.ts'
import type { CircuitState } from './rules.ts'

/** A shared breaker as the fleet has it, at one moment of the server's clock. */
export interface BreakerView {
  readonly name: string
  readonly state: CircuitState
  /** How long it stays open yet; 0 unless it is open. */
  readonly openForMs: number
  /** How long the call that is tried half-open has its place yet; 0 where none is tried. */
  readonly trialForMs: number
  /** Failed calls in a row that were told by now. */
  readonly row: number
  /** Rises with every change. */
  readonly era: number
}

/** How a shared breaker stands; closed where nothing is kept of it. Changes nothing, and makes no trial. */
export async function inspectBreaker(redis: Redis, name: string): Promise<BreakerView> {
  const key = breakerKey(redis.keyspace, name)
  const args = [key, 'era', 'open', 'row', 'trial', 'tried']
  const reply = await redis.call(key, 'HMGET', args, { operation: 'breaker.inspect', repeat: true })
  const [era, open, row, trial, tried] = reply as readonly (string | null)[]
  const nowMs = redis.serverNowMs()
  const leftMs = (until: string | null | undefined) => Math.max(0, Math.ceil(Number(until ?? 0) - nowMs))
  const openForMs = leftMs(open)
  const state = Number(open ?? 0) === 0 ? 'closed' : openForMs > 0 ? 'open' : 'half-open'
  const trialForMs = state === 'half-open' && trial ? leftMs(tried) : 0
  return { name, state, openForMs, trialForMs, row: Number(row ?? 0), era: Number(era ?? 0) }
}
