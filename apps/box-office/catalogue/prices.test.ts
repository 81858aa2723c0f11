import { expect, it } from 'vitest'
import { digitsOf, formatMoney, pricesFor } from './prices.ts'

it('counts minor units as the currency does', () => {
  expect(digitsOf('EUR')).toBe(2)
  expect(digitsOf('JPY')).toBe(0)
  expect(formatMoney(4_999n, 'EUR')).toBe('€49.99')
  expect(formatMoney(4_900n, 'JPY')).toBe('¥4,900')
  expect(formatMoney(5n, 'USD')).toBe('$0.05')
})

it('writes amounts that no float can hold', () => {
  expect(formatMoney(900_719_925_474_099_301n, 'EUR')).toBe('€9,007,199,254,740,993.01')
})

it('asks less for every level behind the first, in the steps of the currency', () => {
  expect(pricesFor('EUR', 3, 1)).toEqual([11_800n, 8_000n, 5_200n])
  expect(pricesFor('JPY', 4, 1).every((price) => price % 100n === 0n)).toBe(true)
})
