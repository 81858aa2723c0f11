/**
 * The map as it is now, drawn by the server, so that it is there before any script. Seats are checkboxes to a screen reader;
 * the script adds arrow keys, choosing, and what changes from here on.
 */

import { formatMoney } from '../catalogue/prices.ts'
import type { MapCopy } from '../live/map-copy.ts'
import { SEAT_RADIUS } from '../seating/geometry.ts'
import type { Night } from '../seating/nights.ts'

const LETTERS = { free: 'f', held: 'h', offered: 'h', sold: 's', blocked: 'x' } as const

export const SeatMap = ({ night, map, mine }: { night: Night; map: MapCopy; mine: readonly string[] }) => {
  const { drawing, plan, prices, currency } = night
  const own = new Set(mine)
  const sections = new Map(plan.sections.map((section) => [section.name, section]))
  return (
    // biome-ignore lint/a11y/useSemanticElements: a drawing cannot be a fieldset
    <svg
      class="seats"
      role="group"
      aria-label="Seat map. Arrow keys move between seats, space chooses."
      width={drawing.width}
      height={drawing.height}
      viewBox={`${drawing.left} ${drawing.top} ${drawing.width} ${drawing.height}`}
    >
      <path class="stage" d={drawing.stage} />
      <text class="stage-label" x={drawing.stageLabel.x} y={drawing.stageLabel.y}>
        STAGE
      </text>
      {drawing.seats.map((seat) => {
        const section = sections.get(seat.section)
        const state = map.state(seat.id) ?? 'blocked'
        const price = formatMoney(prices.get(seat.section) ?? 0n, currency)
        return (
          // biome-ignore lint/a11y/useSemanticElements: an input cannot be drawn in a picture
          <circle
            class={`seat t${section?.level ?? 0}${own.has(seat.id) ? ' mine' : ''}`}
            data-seat={seat.id}
            data-state={LETTERS[state]}
            role="checkbox"
            aria-checked="false"
            aria-label={`${section?.label}, section ${seat.section}, row ${seat.row}, seat ${seat.number}, ${price}`}
            tabindex={-1}
            cx={seat.x}
            cy={seat.y}
            r={SEAT_RADIUS}
          />
        )
      })}
    </svg>
  )
}
