export type {
  ChangesOptions,
  ConfirmOptions,
  EventOptions,
  HoldOptions,
  SeatsDurability,
  SeatsOptions,
} from './options.ts'
export type {
  ConfirmResult,
  CreateResult,
  Held,
  HoldResult,
  NotHeld,
  ReleaseResult,
  Seat,
  SeatChange,
  SeatCounts,
  SeatMap,
  SeatState,
  Section,
  VerifyResult,
} from './outcomes.ts'
export { Seats } from './seats.ts'
