/** Which seats a buyer asks for: everybody wants the middle of the front, and sits with his friends. */

import type { SeatState } from '../live/map-copy.ts'
import type { PlacedSeat } from '../seating/geometry.ts'
import type { Night } from '../seating/nights.ts'
import type { Random } from './random.ts'

/** How much they want the best: 1 is evenly everywhere; at 4, half of them ask for the best sixteenth of what is free. */
const SKEW = 4

/** Seats from best to worst, once for each night. */
const ranked = new WeakMap<Night, readonly PlacedSeat[]>()

export function bestFirst(night: Night): readonly PlacedSeat[] {
  let seats = ranked.get(night)
  if (seats === undefined) {
    seats = [...night.drawing.seats].sort((a, b) => a.rank - b.rank)
    ranked.set(night, seats)
  }
  return seats
}

/**
 * `count` seats, side by side where there are such, as near to the best as this buyer's luck will have it; fewer when
 * fewer are free, none when none is. He chooses by the map that he sees, which others may see too.
 */
export function chooseSeats(
  night: Night,
  states: ReadonlyMap<string, SeatState>,
  count: number,
  random: Random,
): readonly string[] {
  const free = bestFirst(night).filter((seat) => states.get(seat.id) === 'free')
  if (free.length === 0) return []
  const start = Math.floor(random.next() ** SKEW * free.length)
  const isFree = (id: string) => states.get(id) === 'free'
  for (let tried = 0; tried < 8; tried += 1) {
    const seat = free[(start + tried) % free.length] as PlacedSeat
    const together = besides(seat, count, isFree)
    if (together.length === count) return together
  }
  return free.slice(start, start + count).map((seat) => seat.id)
}

function besides(seat: PlacedSeat, count: number, isFree: (id: string) => boolean): string[] {
  const seats = [seat.id]
  for (const step of [1, -1]) {
    for (let number = seat.number + step; seats.length < count; number += step) {
      const id = `${seat.section}-${seat.row}-${number}`
      if (!isFree(id)) break
      seats.push(id)
    }
  }
  return seats
}
