import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { Card, readCard } from './card.ts'

const NOW = new Date('2026-11-21T12:00:00Z')
const GOOD = { number: '4242 4242 4242 4242', expiry: '12/28', cvc: '123' }

it('reads a card as people type it', () => {
  for (const input of [GOOD, { ...GOOD, number: '4242-4242-4242-4242' }, { ...GOOD, expiry: ' 1 / 2027 ' }]) {
    const card = readCard(input, NOW)
    expect(card).toBeInstanceOf(Card)
    expect(card).toMatchObject({ brand: 'Visa', last4: '4242' })
  }
})

it('names the field that is wrong', () => {
  const problem = (input: Partial<typeof GOOD>) => readCard({ ...GOOD, ...input }, NOW)
  expect(problem({ number: '4242 4242 4242 4241' })).toMatchObject({ field: 'number' })
  expect(problem({ number: '42' })).toMatchObject({ field: 'number' })
  expect(problem({ expiry: '13/28' })).toMatchObject({ field: 'expiry' })
  expect(problem({ expiry: '10/26' })).toMatchObject({ field: 'expiry' })
  expect(problem({ cvc: '12' })).toMatchObject({ field: 'cvc' })
})

it('takes a card to the end of its month', () => {
  expect(readCard({ ...GOOD, expiry: '11/26' }, new Date('2026-11-30T23:00:00Z'))).toBeInstanceOf(Card)
})

it('never shows the number, however it is printed', () => {
  const card = readCard(GOOD, NOW)
  for (const text of [JSON.stringify(card), inspect(card, { depth: 5, showHidden: true }), String(card)])
    expect(text).not.toContain('42424242')
})
