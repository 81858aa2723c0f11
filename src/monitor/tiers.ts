const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** One fineness of time: what happened in a cell of it is kept together, and for so long. */
export interface Tier {
  readonly letter: 'm' | 'h' | 'd'
  readonly cellMs: number
  readonly keepMs: number
}

const MINUTES: Tier = { letter: 'm', cellMs: MINUTE_MS, keepMs: 3 * HOUR_MS }
const HOURS: Tier = { letter: 'h', cellMs: HOUR_MS, keepMs: 7 * DAY_MS }
const DAYS: Tier = { letter: 'd', cellMs: DAY_MS, keepMs: 90 * DAY_MS }

/** From the finest. Each batch is written to all three. */
export const TIERS = [MINUTES, HOURS, DAYS] as const
export const LONGEST_WINDOW_MS = DAYS.keepMs
export { MINUTE_MS }

/** One cell: of which tier, and the number of its time. */
export interface Cell {
  readonly tier: Tier
  readonly index: number
}

export const cellOf = (tier: Tier, atMs: number): Cell => ({ tier, index: Math.floor(atMs / tier.cellMs) })
/** Nothing is asked of a cell after this: one cell longer than what is promised, for the oldest is begun in its middle. */
export const endOfLife = ({ tier, index }: Cell): number => (index + 2) * tier.cellMs + tier.keepMs

export interface Cover {
  /** Where the window really begins: at the start of the finest cell that is kept of that time. */
  readonly fromMs: number
  readonly cells: readonly Cell[]
}

/** The fewest cells that cover the last `windowMs` up to now, each moment once. */
export function cover(windowMs: number, nowMs: number): Cover {
  const finest = TIERS.find(({ keepMs }) => windowMs <= keepMs) ?? DAYS
  const fromMs = Math.floor((nowMs - windowMs) / finest.cellMs) * finest.cellMs
  const cells: Cell[] = []
  for (let atMs = fromMs; atMs <= nowMs; ) {
    const tier = TIERS.findLast(({ cellMs }) => atMs % cellMs === 0) ?? MINUTES
    cells.push(cellOf(tier, atMs))
    atMs += tier.cellMs
  }
  return { fromMs, cells }
}
