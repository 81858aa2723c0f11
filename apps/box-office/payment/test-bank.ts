/**
 * The test provider: a bank that moves no money, with the cards that tell it what to say. It keeps its own book, in a
 * table that nothing of ours joins, so that it still knows after a crash what it answered before.
 */

import type { Database } from '../database/database.ts'
import type { Authorisation, Charge, Decline, PaymentProvider } from './provider.ts'

export const TEST_CARDS = {
  succeeds: '4242 4242 4242 4242',
  declined: '4000 0000 0000 0002',
  insufficientFunds: '4000 0000 0000 9995',
} as const

const VERDICTS = new Map<string, Decline | undefined>([
  [bare(TEST_CARDS.succeeds), undefined],
  [bare(TEST_CARDS.declined), 'declined'],
  [bare(TEST_CARDS.insufficientFunds), 'insufficient-funds'],
])

type BookState = 'authorised' | 'declined' | 'captured' | 'voided'

export function createTestBank(db: Database): PaymentProvider {
  return {
    async authorise({ key, amount, currency, card }: Charge): Promise<Authorisation> {
      const number = card.reveal()
      const reason = VERDICTS.has(number) ? VERDICTS.get(number) : 'not-a-test-card'
      const state: BookState = reason === undefined ? 'authorised' : 'declined'
      // The first answer to a key stands: a repeat writes nothing new and reads what was said.
      const [book] = await db.query<{ state: BookState; reason: Decline | null }>(
        `insert into test_bank (key, amount, currency, state, reason) values ($1, $2, $3, $4, $5)
         on conflict (key) do update set key = excluded.key
         returning state, reason`,
        [key, amount, currency, state, reason ?? null],
      )
      if (book === undefined) throw new Error(`The bank has no entry for ${key}.`)
      if (book.state === 'declined') return { status: 'declined', reason: book.reason ?? 'declined' }
      return book.state === 'voided' ? { status: 'declined', reason: 'declined' } : { status: 'authorised' }
    },
    async capture(key) {
      const rows = await db.query(
        `update test_bank set state = 'captured' where key = $1 and state in ('authorised', 'captured') returning key`,
        [key],
      )
      if (rows.length === 0) throw new Error(`${key} was not authorised.`)
    },
    async void(key) {
      await db.query(`update test_bank set state = 'voided' where key = $1 and state = 'authorised'`, [key])
    },
    async lookup(key) {
      const [book] = await db.query<{ state: BookState }>('select state from test_bank where key = $1', [key])
      return book?.state ?? 'unknown'
    },
  }
}

function bare(number: string): string {
  return number.replaceAll(' ', '')
}
