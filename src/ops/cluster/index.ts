export {
  type ClusterAdmin,
  type ClusterAdminOptions,
  type MoveReport,
  openClusterAdmin,
  type RebalanceOptions,
  type RemoveOptions,
  type SlotMove,
} from './admin.ts'
export type { ClusterCheck, Problem } from './check.ts'
export { ChangeRefusedError, ChangeUnfinishedError, NotAgreedError } from './errors.ts'
export type { AddOptions } from './join.ts'
export type { MoveOptions, MoveProgress } from './mover.ts'
export { parseSlots, type SlotRange, showRanges } from './ranges.ts'
export type { FixOptions, FixReport } from './repair.ts'
export type { ClusterStatus, NodeStatus } from './status.ts'
export type { OpenSlot } from './view.ts'
