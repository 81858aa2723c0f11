import fc from 'fast-check'
import { expect, it } from 'vitest'
import { packCells, unpackCells } from './cells.ts'
import { Layout } from './layout.ts'
import { parseRecord } from './record.ts'

const layouts = fc
  .uniqueArray(
    fc.record({
      name: fc.string({ minLength: 1, maxLength: 6, unit: 'grapheme' }),
      rows: fc.integer({ min: 1, max: 5 }),
      seatsPerRow: fc.integer({ min: 1, max: 12 }),
      price: fc.integer({ min: 0, max: 100_000 }),
    }),
    { minLength: 1, maxLength: 5, selector: ({ name }) => name },
  )
  .map((sections) => new Layout({ currency: 'EUR', perCustomer: 0, sections, blocked: [] }))

it('gives every seat one cell, and every cell but the bars one seat', () => {
  fc.assert(
    fc.property(layouts, (layout) => {
      const seats = [...layout.seatsOf(layout.emptyMap)]
      const cells = seats.map(({ id }) => layout.cellOf(id))
      expect(seats).toHaveLength(layout.seats)
      expect(cells).toEqual([...layout.emptyMap].flatMap((letter, cell) => (letter === '|' ? [] : [cell])))
      expect(layout.namesOf(cells as number[])).toEqual(seats.map(({ id }) => id))
      expect(layout.amountOf(cells as number[])).toBe(seats.reduce((sum, { price }) => sum + price, 0))
    }),
  )
})

it('reads what it has written, to the same tag', () => {
  fc.assert(
    fc.property(layouts, (layout) => {
      const read = Layout.parse(layout.json)
      expect(read.tag).toBe(layout.tag)
      expect(read.emptyMap).toBe(layout.emptyMap)
    }),
  )
})

it('keeps blocked seats in the map and in the tag, in whatever order they are named', () => {
  const terms = { currency: 'EUR', perCustomer: 0, sections: [{ name: 'A', rows: 2, seatsPerRow: 3, price: 1 }] }
  const one = new Layout({ ...terms, blocked: ['A-2-1', 'A-1-3'] })
  const two = new Layout({ ...terms, blocked: ['A-1-3', 'A-2-1'] })
  expect(one.emptyMap).toBe('..x|x..')
  expect(one.tag).toBe(two.tag)
  expect(one.tag).not.toBe(new Layout({ ...terms, blocked: [] }).tag)
})

it('packs cells as runs, and unpacks them again', () => {
  expect(packCells([12, 13, 45])).toBe('12-13,45-45')
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(300), { minLength: 1, maxLength: 64 }), (cells) => {
      cells.sort((a, b) => a - b)
      expect(unpackCells(packCells(cells))).toEqual(cells)
    }),
  )
  for (const text of ['1', '2-1', 'a-b', '1-2,', '0-99999999']) expect(unpackCells(text)).toBeUndefined()
})

it('reads a record whatever bars, digits and letters its customer and payment hold', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (customer, payment) => {
      const field = `customer:${customer}`
      const text = `s1795250899899|1795251499725|2|0-1|${Buffer.byteLength(field)}|${field}${payment}`
      expect(parseRecord(text)).toMatchObject({ state: 'confirmed', cells: [0, 1], customer, payment })
    }),
  )
})

it('reads nothing that is no record', () => {
  const good = 'h0000000000000|1795251499725|2|0-1|12|customer:ann'
  expect(parseRecord(good)).toMatchObject({ state: 'held', customer: 'ann', payment: '' })
  for (const bad of [
    '',
    'junk',
    good.replace('h', 'q'),
    good.replace('|2|', '|3|'),
    good.replace('customer:', 'custom:r:'),
  ])
    expect(parseRecord(bad)).toBeUndefined()
})
