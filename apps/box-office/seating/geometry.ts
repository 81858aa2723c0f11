/** Where each seat of a plan is drawn, and how good it is. Pure arithmetic; units are pixels of the drawing. */

import type { SeatPlan } from './plan.ts'

/** Distance between two neighbours in the first row of a level. */
export const PITCH = 22
export const SEAT_RADIUS = 8.5

export interface PlacedSeat {
  readonly id: string
  readonly section: string
  readonly row: number
  readonly number: number
  readonly x: number
  readonly y: number
  /** Lower is better: nearer to the stage, and to the middle. */
  readonly rank: number
}

export interface Drawing {
  readonly seats: readonly PlacedSeat[]
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
  /** The outline of the stage, as an SVG path. */
  readonly stage: string
  readonly stageLabel: { readonly x: number; readonly y: number }
}

const EDGE = 26
const STAGE_DEPTH = 3.4

export function drawSeats(plan: SeatPlan): Drawing {
  const seats: PlacedSeat[] = []
  for (const section of plan.sections) {
    const step = (section.to - section.from) / section.seatsPerRow
    for (let row = 1; row <= section.rows; row += 1) {
      const distance = (section.radius + row - 1) * PITCH
      for (let number = 1; number <= section.seatsPerRow; number += 1) {
        const angle = section.from + (number - 0.5) * step
        seats.push({
          id: `${section.name}-${row}-${number}`,
          section: section.name,
          row,
          number,
          x: round(distance * Math.sin(angle)),
          y: round(distance * Math.cos(angle)),
          rank: section.radius + row + Math.abs(angle) * 6,
        })
      }
    }
  }
  const stage = drawStage(plan)
  const xs = seats.map((seat) => seat.x)
  const ys = seats.map((seat) => seat.y)
  const left = Math.min(...xs) - EDGE
  const top = Math.min(stage.top, ...ys.map((y) => y - EDGE))
  return {
    seats,
    left: round(left),
    top: round(top),
    width: round(Math.max(...xs) + EDGE - left),
    height: round(Math.max(...ys) + EDGE - top),
    stage: stage.path,
    stageLabel: { x: 0, y: round(stage.label) },
  }
}

/** A slice of the first row's own circle, a little in front of it. */
function drawStage(plan: SeatPlan): { path: string; top: number; label: number } {
  const front = (plan.radius - 1.7) * PITCH
  const half = Math.min(plan.angle * 0.3, 0.62)
  const x = round(front * Math.sin(half))
  const y = round(front * Math.cos(half))
  const back = round(Math.min(y - PITCH * 0.8, front - STAGE_DEPTH * PITCH))
  const path = `M ${-x} ${y} L ${round(-x * 0.86)} ${back} L ${round(x * 0.86)} ${back} L ${x} ${y} A ${round(front)} ${round(front)} 0 0 1 ${-x} ${y} Z`
  return { path, top: back - EDGE, label: (back + front) / 2 }
}

function round(n: number): number {
  return Math.round(n * 10) / 10
}
