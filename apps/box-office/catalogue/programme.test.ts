import { describe, expect, it } from 'vitest'
import { eveningOf, planNights, readActs, readVenues } from './programme.ts'

const NOW = new Date('2026-11-21T09:30:00Z')
const ID = /^[a-z0-9]+(-[a-z0-9]+)*$/

describe('the venues', () => {
  const venues = readVenues()

  it('are 60, in at least 30 countries, each with an id of its own', () => {
    expect(venues.length).toBe(60)
    expect(new Set(venues.map((venue) => venue.country)).size).toBeGreaterThanOrEqual(30)
    expect(new Set(venues.map((venue) => venue.id)).size).toBe(venues.length)
    for (const { id } of venues) expect(id).toMatch(ID)
  })

  it('lie on the earth, each where no other does', () => {
    for (const { lat, lon } of venues) {
      expect(Math.abs(lat)).toBeLessThan(70)
      expect(Math.abs(lon)).toBeLessThanOrEqual(180)
    }
    expect(new Set(venues.map(({ lat, lon }) => `${lat.toFixed(3)} ${lon.toFixed(3)}`)).size).toBe(venues.length)
  })

  it('lie on the side of the earth that their country is on', () => {
    const south = ['AR', 'BR', 'ZA', 'AU', 'NZ']
    const west = ['US', 'CA', 'MX', 'AR', 'BR', 'IS', 'PT', 'IE']
    for (const { id, code, lat, lon } of venues) {
      expect([id, lat < 0]).toEqual([id, south.includes(code)])
      // Great Britain and Spain lie on both sides of Greenwich.
      if (code !== 'GB' && code !== 'ES') expect([id, lon < 0]).toEqual([id, west.includes(code)])
    }
  })

  it('have the clock of their longitude, to within three hours', () => {
    for (const { id, zone, lon } of venues) {
      const wall = eveningOf(NOW, 30, zone, 12, 0)
      const offsetHours = 12 - (wall.getTime() / 3_600_000 - Math.floor(wall.getTime() / 86_400_000) * 24)
      const byLongitude = lon / 15
      const difference = Math.abs(((offsetHours - byLongitude + 36) % 24) - 12)
      expect([id, difference < 3]).toEqual([id, true])
    }
  })

  it('have a capacity, a year, a currency and a sentence', () => {
    for (const { capacity, opened, currency, about } of venues) {
      expect(capacity).toBeGreaterThan(500)
      expect(capacity).toBeLessThan(20_000)
      expect(opened).toBeLessThanOrEqual(2026)
      expect(() => new Intl.NumberFormat('en', { style: 'currency', currency })).not.toThrow()
      expect(about).toMatch(/^[A-Z0-9].{40,}\.$/)
    }
  })
})

describe('the nights', () => {
  const nights = planNights(NOW)

  it('are at least 120, each with an id of its own, at every venue', () => {
    expect(nights.length).toBeGreaterThanOrEqual(120)
    expect(new Set(nights.map((night) => night.id)).size).toBe(nights.length)
    for (const { id } of nights) expect(id).toMatch(ID)
    expect(new Set(nights.map((night) => night.venue.id)).size).toBe(readVenues().length)
  })

  it('all lie ahead, on whatever day they are planned', () => {
    for (const now of [NOW, new Date('2027-02-28T23:59:00Z'), new Date('2028-03-26T00:30:00Z')]) {
      for (const night of planNights(now)) {
        const days = (night.startsAt.getTime() - now.getTime()) / 86_400_000
        expect(days).toBeGreaterThan(2)
        expect(days).toBeLessThan(170)
      }
    }
  })

  it('begin in the evening of their own city, also across a change of clocks', () => {
    for (const { startsAt, venue } of nights) {
      const time = new Intl.DateTimeFormat('en-GB', { timeZone: venue.zone, hour: '2-digit', minute: '2-digit' })
      expect(['19:30', '20:00']).toContain(time.format(startsAt))
    }
  })

  it('have one price a level, in whole minor units, dearest first', () => {
    for (const { prices } of nights) {
      expect(prices.length).toBeGreaterThanOrEqual(3)
      expect(prices.every((price) => price > 0n)).toBe(true)
      expect([...prices].sort((a, b) => (a > b ? -1 : 1))).toEqual(prices)
    }
  })

  it('never have an act that is too large or too small for the house', () => {
    for (const { act, venue } of nights) {
      if (act.room === 'small') expect(venue.capacity).toBeLessThanOrEqual(1_250)
      if (act.room === 'arena') expect(venue.capacity).toBeGreaterThanOrEqual(4_500)
    }
    expect(new Set(readActs().map((act) => act.id)).size).toBe(readActs().length)
  })
})
