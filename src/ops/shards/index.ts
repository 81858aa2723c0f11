export { ShardsRefusedError, ShardsUnfinishedError } from './errors.ts'
export { moveShards, type ShardMoveReport } from './move.ts'
export type { ShardMoveProgress, ShardOptions } from './options.ts'
export { planShards, type ShardPlan, type ShardTransfer } from './plan.ts'
