/**
 * The seat plan that we sell for a venue: ours, derived from its shape and capacity, not the venue's own.
 * A plan is levels that lie behind each other around the stage; a level is cut into blocks by
 * aisles; a block is a section of equal rows, which is what the seat map of `hf.seats` is made of.
 *
 * Every level spans the same angle, so outer rows are longer; the number of seats in a row is what fits its first
 * row. Scale and angle are searched so that the whole comes nearest to the wanted size.
 */

export type Shape = 'hall' | 'theatre' | 'round' | 'amphitheatre'

export interface Section {
  /** One or two letters: the first part of a seat id such as 'C-4-11'. */
  readonly name: string
  /** For people: 'Stalls left'. */
  readonly label: string
  readonly level: number
  readonly rows: number
  readonly seatsPerRow: number
  /** Where the first row runs: distance from the centre, and the angles of the block's two ends. */
  readonly radius: number
  readonly from: number
  readonly to: number
}

export interface SeatPlan {
  readonly shape: Shape
  readonly seats: number
  readonly levels: readonly string[]
  readonly sections: readonly Section[]
  /** Distance of the first row from the centre of the arcs, in seats. */
  readonly radius: number
  readonly angle: number
}

interface Form {
  readonly angle: number
  readonly levels: readonly { readonly name: string; readonly rows: number }[]
  /** Shares of a row between the aisles, left to right. */
  readonly blocks: readonly { readonly name: string; readonly share: number }[]
  /** The first radius at which `rows` holds; both grow together. */
  readonly radius: number
}

const THIRDS = [
  { name: 'left', share: 0.27 },
  { name: 'centre', share: 0.46 },
  { name: 'right', share: 0.27 },
]
const FIFTHS = [
  { name: 'far left', share: 0.16 },
  { name: 'left', share: 0.2 },
  { name: 'centre', share: 0.28 },
  { name: 'right', share: 0.2 },
  { name: 'far right', share: 0.16 },
]

const FORMS: Record<Shape, Form> = {
  hall: {
    angle: 0.62,
    radius: 40,
    blocks: THIRDS,
    levels: [
      { name: 'Front stalls', rows: 5 },
      { name: 'Stalls', rows: 9 },
      { name: 'Balcony', rows: 6 },
    ],
  },
  theatre: {
    angle: 1.05,
    radius: 24,
    blocks: THIRDS,
    levels: [
      { name: 'Stalls', rows: 7 },
      { name: 'Circle', rows: 6 },
      { name: 'Balcony', rows: 5 },
    ],
  },
  round: {
    angle: 1.75,
    radius: 15,
    blocks: FIFTHS,
    levels: [
      { name: 'Parquet', rows: 5 },
      { name: 'Terrace', rows: 5 },
      { name: 'Upper terrace', rows: 4 },
    ],
  },
  amphitheatre: {
    angle: 2.3,
    radius: 13,
    blocks: FIFTHS,
    levels: [
      { name: 'Orchestra', rows: 5 },
      { name: 'Lower tier', rows: 6 },
      { name: 'Middle tier', rows: 5 },
      { name: 'Upper tier', rows: 4 },
    ],
  },
}

const AISLE = 1.4
/** Free rows between two levels. */
const GANGWAY = 1.3
export const SMALLEST_PLAN = 300
export const LARGEST_PLAN = 2_000

/** How many seats we draw for a real capacity: a big hall has more, but a map still fits a screen. */
export function plannedSeats(capacity: number): number {
  return Math.min(LARGEST_PLAN, Math.max(SMALLEST_PLAN, Math.round(13.5 * Math.sqrt(capacity))))
}

const drawn = new Map<string, SeatPlan>()

/** The plan whose size comes nearest to `wanted`. */
export function drawPlan(shape: Shape, wanted: number): SeatPlan {
  const key = `${shape} ${wanted}`
  const plan = drawn.get(key) ?? search(shape, wanted)
  drawn.set(key, plan)
  return plan
}

function search(shape: Shape, wanted: number): SeatPlan {
  let best: SeatPlan | undefined
  for (let widen = 0.95; widen <= 1.05; widen += 0.01) {
    const form = { ...FORMS[shape], angle: FORMS[shape].angle * widen }
    for (let scale = 0.5; scale <= 2.5; scale += 0.01) {
      const plan = drawAt(shape, form, scale)
      if (plan === undefined || plan.seats < SMALLEST_PLAN || plan.seats > LARGEST_PLAN) continue
      if (best === undefined || Math.abs(plan.seats - wanted) < Math.abs(best.seats - wanted)) best = plan
    }
  }
  if (best === undefined) throw new RangeError(`No ${shape} plan of about ${wanted} seats.`)
  return best
}

/** Undefined when the rows are too short to be cut into blocks. */
function drawAt(shape: Shape, form: Form, scale: number): SeatPlan | undefined {
  const first = form.radius * scale
  const aisles = form.blocks.length - 1
  const sections: Section[] = []
  let radius = first
  let seats = 0
  for (const [depth, level] of form.levels.entries()) {
    const rows = Math.max(3, Math.round(level.rows * scale))
    const fits = Math.floor(form.angle * radius - aisles * AISLE)
    const widths = divide(fits, form)
    if (sum(widths) > fits) return undefined
    const pitch = form.angle / (sum(widths) + aisles * AISLE)
    let angle = -form.angle / 2
    form.blocks.forEach((block, index) => {
      const width = widths[index] ?? 0
      const to = angle + width * pitch
      const name = String.fromCharCode(65 + sections.length)
      const label = `${level.name} ${block.name}`
      sections.push({ name, label, level: depth, rows, seatsPerRow: width, radius, from: angle, to })
      seats += rows * width
      angle = to + AISLE * pitch
    })
    radius += rows + GANGWAY
  }
  const levels = form.levels.map((level) => level.name)
  return { shape, seats, levels, sections, radius: first, angle: form.angle }
}

/** Shares as whole seats, symmetric, with what is left over in the middle. */
function divide(total: number, form: Form): number[] {
  const widths = form.blocks.map((block) => Math.max(2, Math.floor(total * block.share)))
  const middle = Math.floor(widths.length / 2)
  const left = total - sum(widths)
  if (left > 0) widths[middle] = (widths[middle] ?? 0) + left
  return widths
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0)
}
