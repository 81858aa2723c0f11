/** Who has which slots, for a plan. */
export interface Holder {
  readonly id: string
  readonly slots: readonly number[]
  /** Its share beside the others': 2 gets twice as much as 1, 0 nothing. */
  readonly weight: number
}

export interface PlannedMove {
  readonly from: string
  readonly to: string
  readonly slots: readonly number[]
}

/**
 * Moves after which each holder has its share of all slots, to a slot, with as few slots moved as can be. A giver gives its
 * highest slots, in one piece to each taker as far as possible, so that ranges stay long.
 */
export function planShares(holders: readonly Holder[]): readonly PlannedMove[] {
  const shares = sharesOf(holders)
  const givers = holders.map(({ id, slots }) => ({ id, slots: [...slots].sort((a, b) => a - b) }))
  const moves: PlannedMove[] = []
  for (const taker of holders) {
    let wanted = (shares.get(taker.id) ?? 0) - taker.slots.length
    for (const giver of givers) {
      const spare = giver.slots.length - (shares.get(giver.id) ?? 0)
      const count = Math.min(wanted, spare)
      if (count <= 0 || giver.id === taker.id) continue
      moves.push({ from: giver.id, to: taker.id, slots: giver.slots.splice(-count) })
      wanted -= count
    }
  }
  return moves
}

/** Slots by id. What whole shares leave over goes to those who would otherwise give away most. */
function sharesOf(holders: readonly Holder[]): ReadonlyMap<string, number> {
  const total = holders.reduce((sum, { slots }) => sum + slots.length, 0)
  const weights = holders.reduce((sum, { weight }) => sum + weight, 0)
  const exact = holders.map(({ id, slots, weight }) => ({ id, has: slots.length, share: (total * weight) / weights }))
  const shares = new Map(exact.map(({ id, share }) => [id, Math.floor(share)]))
  let left = total - [...shares.values()].reduce((sum, share) => sum + share, 0)
  const byLoss = exact
    .filter(({ share }) => share > Math.floor(share))
    .sort((a, b) => b.has - b.share - (a.has - a.share))
  for (const { id } of byLoss) if (left-- > 0) shares.set(id, (shares.get(id) ?? 0) + 1)
  return shares
}

/** How many slots the moves are together. */
export const countSlots = (moves: readonly PlannedMove[]): number =>
  moves.reduce((sum, { slots }) => sum + slots.length, 0)
