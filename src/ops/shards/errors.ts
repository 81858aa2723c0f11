import { HoldfastError } from '../../base/errors.ts'

/** Why a change of shards was not begun. */
export type ShardsRefusal =
  | 'busy' // another mover is at work, or a move to another list has begun
  | 'unreachable' // a shard does not answer
  | 'occupied' // a shard that would be added holds keys of this namespace
  | 'strays' // keys lie where nobody looks for them, and would be found there after the move
  | 'unrecorded' // no list of shards is known yet, and not all of the address answered

/** A change of shards that was not begun. Nothing was changed. */
export class ShardsRefusedError extends HoldfastError {
  static override readonly kind = 'ShardsRefusedError'

  readonly reason: ShardsRefusal
  /** The shards it is about. */
  readonly shards: readonly string[]

  constructor(reason: ShardsRefusal, shards: readonly string[], why: string, cause?: unknown) {
    super('CHANGE_REFUSED', `shards: ${why}`, { cause, retryable: reason === 'busy' || reason === 'unreachable' })
    this.reason = reason
    this.shards = shards
  }
}

/** A move that stopped on its way. Nothing is lost: keys are where every caller finds them, and the same move again goes on. */
export class ShardsUnfinishedError extends HoldfastError {
  static override readonly kind = 'ShardsUnfinishedError'

  /** Keys that this run had moved. */
  readonly keys: number

  constructor(keys: number, why: string, cause?: unknown) {
    super('CHANGE_UNFINISHED', `shards: the move stopped after ${keys} keys: ${why}; run it again to go on`, {
      cause,
      retryable: true,
    })
    this.keys = keys
  }
}
