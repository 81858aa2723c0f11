import { describe, expect, it } from 'vitest'
import { readVenues } from '../catalogue/programme.ts'
import { drawSeats, PITCH, SEAT_RADIUS } from './geometry.ts'
import { drawPlan, LARGEST_PLAN, plannedSeats, type Shape, SMALLEST_PLAN } from './plan.ts'

const SHAPES: Shape[] = ['hall', 'theatre', 'round', 'amphitheatre']

describe.each(SHAPES)('a %s', (shape) => {
  const plans = [300, 640, 1_200, 1_800].map((seats) => [seats, drawPlan(shape, seats)] as const)

  it('has about as many seats as were asked for', () => {
    for (const [wanted, plan] of plans) expect(Math.abs(plan.seats - wanted) / wanted).toBeLessThan(0.06)
  })

  it('counts the seats that it has, each with a name of its own', () => {
    for (const [, plan] of plans) {
      const { seats } = drawSeats(plan)
      expect(seats.length).toBe(plan.seats)
      expect(new Set(seats.map((seat) => seat.id)).size).toBe(plan.seats)
      for (const { id } of seats) expect(id).toMatch(/^[A-Z]-\d+-\d+$/)
    }
  })

  it('draws no seat over another, nor outside the picture', () => {
    for (const [, plan] of plans) {
      const { seats, left, top, width, height } = drawSeats(plan)
      let nearest = Number.POSITIVE_INFINITY
      for (const [index, a] of seats.entries()) {
        for (const b of seats.slice(index + 1)) nearest = Math.min(nearest, (a.x - b.x) ** 2 + (a.y - b.y) ** 2)
        expect(a.x - SEAT_RADIUS).toBeGreaterThan(left)
        expect(a.x + SEAT_RADIUS).toBeLessThan(left + width)
        expect(a.y - SEAT_RADIUS).toBeGreaterThan(top)
        expect(a.y + SEAT_RADIUS).toBeLessThan(top + height)
      }
      expect(Math.sqrt(nearest)).toBeGreaterThan(PITCH * 0.85)
    }
  })

  it('is the same to the left and to the right', () => {
    for (const [, plan] of plans) {
      const { seats } = drawSeats(plan)
      const xs = seats.map((seat) => seat.x).sort((a, b) => a - b)
      xs.forEach((x, index) => {
        expect(x).toBeCloseTo(-(xs[xs.length - 1 - index] as number), 0)
      })
    }
  })
})

it('sells 300 to 2,000 seats of every venue', () => {
  for (const { shape, capacity } of readVenues()) {
    const { seats } = drawPlan(shape, plannedSeats(capacity))
    expect(seats).toBeGreaterThanOrEqual(SMALLEST_PLAN)
    expect(seats).toBeLessThanOrEqual(LARGEST_PLAN)
  }
})

it('draws the same plan for the same venue every time', () => {
  expect(drawPlan('theatre', 700)).toEqual(drawPlan('theatre', 700))
})
